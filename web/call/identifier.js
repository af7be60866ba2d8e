/** A random name for a page or a connection: unguessable, and short enough for every packet. */
export function identifier() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(36).padStart(2, '0')).join('');
}
