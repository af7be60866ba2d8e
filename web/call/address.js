/** Where the session's addresses are, from the page's own: directly, or below a proxy's prefix. */

/**
 * @param {Location} location the page's
 * @param {number} port the session's
 */
export function addresses(location, port) {
  const key = new URLSearchParams(location.search).get('key');
  const below = location.pathname.indexOf(`/webrtc/${port}/`);
  const base = below < 0 ? '' : location.pathname.slice(0, below);
  // Without one, the page was let in by its cookie, and so are its sockets.
  const query = key ? `?key=${encodeURIComponent(key)}` : '';
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  const page = below < 0 ? '' : `${base}/webrtc/${port}`;
  return {
    // Below /websocket/ since some proxies upgrade only there.
    socket: `${scheme}//${location.host}${base}/websocket/${port}/ws${query}`,
    status: `${page}/status${query}`,
  };
}
