/**
 * Many calls in one page, each end as a call page has it: the page's own `Call`, with a socket and a
 * connection of its own, so that fifty of them fit on a small machine.
 */
const connections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...rest) {
    super(...rest);
    connections.push(this);
  }
};

// Of the random delays before a return only the short ones: they double while upgrades follow each
// other within seconds, which no deployment does.
const chance = Math.random;
Math.random = () => chance() / 10;

/** Packets received so far, by connection. */
async function received() {
  const all = await Promise.all(connections.map((connection) => connection.getStats()));
  return all.map((stats) => {
    for (const one of stats.values()) if (one.type === 'inbound-rtp' && one.kind === 'video') return one.packetsReceived;
    return 0;
  });
}

/** A small moving picture in place of the page's `Media`: fifty calls of it fit on a small machine. */
function picture() {
  const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 48 });
  const brush = canvas.getContext('2d');
  let step = 0;
  setInterval(() => {
    step += 1;
    brush.fillStyle = `hsl(${step * 20} 80% 50%)`;
    brush.fillRect(0, 0, canvas.width, canvas.height);
  }, 100);
  const [track] = canvas.captureStream(10).getVideoTracks();
  const media = { microphone: false, camera: true, track: (kind) => (kind === 'video' ? track : null), stop() {} };
  return Object.assign(new EventTarget(), media);
}

/** Places calls: `links` are the two invitees' of each, one after the other. */
export async function place(assets, links) {
  const { Call } = await import(`${assets}/call/call.js`);
  const { addresses } = await import(`${assets}/call/address.js`);
  const { statusCheck } = await import(`${assets}/videre.js`);
  const { identifier } = await import(`${assets}/call/identifier.js`);
  const media = picture();
  const calls = links.map((link) => {
    const { socket, status } = addresses(new URL(link), link.split('/')[4]);
    return new Call({ url: socket, userId: identifier(), roomId: 'main', iceServers: [], isOver: statusCheck(status), media });
  });
  let left = 0;
  for (const call of calls) {
    call.addEventListener('went', () => (left += 1));
    call.join('somebody');
  }
  const states = () => calls.map(({ state }) => state);
  return { received, states, left: () => left };
}
