/**
 * What a client of videre signaling keeps to come back to its place after its connection was lost:
 * how many packets have arrived, and those of its own that may not have. docs/PROTOCOL.md, "Coming back".
 */

/** The most packets of our own that are kept. Signaling that waits for more than that is too late anyway. */
const MOST = 500;

/** Packets on either side after which the other is told how many have arrived. */
const OFTEN = 64;

export class Seat {
  #token = null;
  #received = 0;
  /** As `#received` was when the server was last told. */
  #told = 0;
  #sent = [];
  /** How many packets of ours were sent before the first of `#sent`. */
  #arrived = 0;

  /** The Payload of a `resume`. */
  get request() {
    return this.#token ? { token: this.#token, received: this.#received } : {};
  }

  /** Whether there is one to come back to. */
  get isOurs() {
    return this.#token !== null;
  }

  /** A packet has arrived. Whether the server should be told at once. */
  count() {
    this.#received += 1;
    return this.#received - this.#told >= OFTEN;
  }

  /** Keeps a packet of our own. Whether it could: without a place for it the seat is given up. */
  keep(packet) {
    if (!this.isOurs) return false;
    if (this.#sent.length < MOST) return this.#sent.push(packet) > 0;
    this.#token = null;
    return false;
  }

  /** The number for an `ack`, or null if there is nothing to tell. */
  get news() {
    if (!this.isOurs || (this.#received === this.#told && this.#sent.length === 0)) return null;
    this.#told = this.#received;
    return this.#received;
  }

  /** So many of our packets have arrived. */
  arrived(count) {
    this.#sent.splice(0, Math.max(0, count - this.#arrived));
    this.#arrived = Math.max(this.#arrived, count);
  }

  /** The server found our seat, and has had so many packets of ours: what to send again. */
  back(count) {
    this.arrived(count);
    return this.#sent;
  }

  /** Another seat, in which nothing was said yet. */
  anew(token) {
    this.#token = token;
    this.#received = this.#told = this.#arrived = 0;
    this.#sent = [];
  }
}
