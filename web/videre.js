/**
 * A client for videre signaling: small JSON packets between the members of a room. No dependency,
 * no DOM; runs in browsers and in Node. docs/PROTOCOL.md describes the packets.
 *
 *     const link = new Videre({ url: 'wss://host/websocket/8080/ws?key=…', userId: 'U1' });
 *     link.addEventListener('peer-joined', ({ detail }) => link.send({ hello: detail.userId }));
 *     link.addEventListener('message', ({ detail }) => console.log(detail.from, detail.payload));
 *     link.connect();
 *
 * Events, each a CustomEvent with these members of `detail`:
 *
 * | event         | detail                | when                                                        |
 * | ------------- | --------------------- | ----------------------------------------------------------- |
 * | `joined`      | `initiator`           | the room let us in, at first and after every reconnection   |
 * | `members`     | `userIds`             | who is in the room, in join order; after each `joined`      |
 * | `peer-joined` | `userId`              | somebody else joined                                        |
 * | `peer-left`   | `userId`, `removed`   | somebody else left; `removed`: put out, will not come back  |
 * | `message`     | `from`, `payload`     | somebody else's `send`                                      |
 * | `refused`     | `reason`              | the server did not take a packet of ours                    |
 * | `reconnecting`| `attempt`, `delay`    | the connection is lost; tried again in `delay` milliseconds |
 * | `closed`      | `code`, `reason`      | over for good: nothing more follows                         |
 */

/** Close codes after which the same key opens nothing any more. */
const FINAL_CODES = new Set([4001, 4002, 4003]);

/** The code of `closed` when `isOver` said so, and when `close()` was called. */
export const OVER = 4001;
export const LEFT = 1000;

const FIRST_DELAY = 300;
const LONGEST_DELAY = 10_000;

/** A connection that neither opens nor speaks for this long is taken for lost. */
const PATIENCE = 12_000;

/** How often the server is asked for a sign of life, since a browser cannot see a dead network. */
const PING_INTERVAL = 15_000;

export class Videre extends EventTarget {
  #options;
  #socket = null;
  #joined = false;
  #attempt = 0;
  #retry = null;
  #watch = null;
  #heard = 0;
  #closed = true;
  #onOnline = () => this.#retry && this.#open();

  /**
   * @param {object} options
   * @param {string} options.url the session's socket, with its key
   * @param {string} options.userId who we are in the room; keep it over reconnections
   * @param {string} [options.roomId]
   * @param {() => Promise<boolean>} [options.isOver] asked before each reconnection: whether the
   *   session or our key is gone, so that trying again is of no use
   * @param {typeof WebSocket} [options.WebSocket] another implementation
   * @param {() => number} [options.random] chance, for tests
   */
  constructor(options) {
    super();
    this.#options = { roomId: 'main', isOver: async () => false, WebSocket: globalThis.WebSocket, random: Math.random, ...options };
  }

  /** Who we are in the room. */
  get userId() {
    return this.#options.userId;
  }

  /** Whether we are in the room now. */
  get joined() {
    return this.#joined;
  }

  /** Connects, joins, and stays joined until `close`. */
  connect() {
    if (!this.#closed) return;
    this.#closed = false;
    globalThis.addEventListener?.('online', this.#onOnline);
    this.#open();
  }

  /**
   * Sends a payload to the others in the room. While the connection is lost it is not kept:
   * signaling that is late is wrong, and `joined` is the moment to say anew what still holds.
   * @param {unknown} payload any JSON value
   * @returns {boolean} whether it was sent
   */
  send(payload) {
    if (!this.#joined) return false;
    this.#packet('broadcast', payload);
    return true;
  }

  /** Leaves for good. */
  close() {
    if (this.#closed) return;
    if (this.#joined) this.#packet('disconnect', '');
    this.#finish(LEFT, 'left');
  }

  #open() {
    clearTimeout(this.#retry);
    this.#retry = null;
    const socket = new this.#options.WebSocket(this.#options.url);
    this.#socket = socket;
    this.#heard = Date.now();
    socket.onopen = () => this.#packet('connect', '{}');
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code, reason }) => socket === this.#socket && this.#lost(code, reason);
    clearInterval(this.#watch);
    this.#watch = setInterval(() => this.#lookAfter(socket), PING_INTERVAL / 3);
    this.#watch.unref?.();
  }

  #lookAfter(socket) {
    const silence = Date.now() - this.#heard;
    if (silence > PING_INTERVAL + PATIENCE || (socket.readyState === 0 && silence > PATIENCE)) {
      // close() would wait for an answer that does not come.
      socket.onclose = null;
      socket.close();
      this.#lost(1006, 'no sign of life');
    } else if (this.#joined && silence > PING_INTERVAL) {
      this.#packet('ping', '{}');
    }
  }

  #packet(Event, Payload) {
    const { userId: UserId, roomId: RoomId } = this.#options;
    this.#socket.send(JSON.stringify({ Header: { Event, UserId, RoomId }, Payload }));
  }

  #receive(data) {
    this.#heard = Date.now();
    const { Header: header, Payload: payload } = JSON.parse(data);
    const own = header.UserId === this.#options.userId;
    switch (header.Event) {
      case 'connect':
        if (!own) return this.#emit('peer-joined', { userId: header.UserId });
        this.#joined = true;
        this.#attempt = 0;
        this.#emit('joined', { initiator: payload === 'true' });
        return this.#joined && this.#packet('ping', '{}');
      case 'ping':
        return this.#emit('members', { userIds: JSON.parse(payload) });
      case 'broadcast':
        return own || this.#emit('message', { from: header.UserId, payload });
      case 'disconnect':
        return own || this.#emit('peer-left', { userId: header.UserId, removed: header.Reason === 'removed' });
      case 'error':
        return this.#emit('refused', { reason: payload });
    }
  }

  async #lost(code, reason) {
    clearInterval(this.#watch);
    this.#joined = false;
    if (this.#closed) return;
    if (FINAL_CODES.has(code)) return this.#finish(code, reason);
    // A random share of a delay that doubles, so that a restarted server is not stormed.
    const longest = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#attempt);
    const delay = Math.round(longest * (0.5 + this.#options.random() / 2));
    this.#attempt += 1;
    this.#emit('reconnecting', { attempt: this.#attempt, delay });
    const over = this.#attempt > 1 && (await this.#options.isOver().catch(() => false));
    if (this.#closed) return;
    if (over) return this.#finish(OVER, 'session ended');
    this.#retry = setTimeout(() => this.#open(), delay);
  }

  #finish(code, reason) {
    this.#closed = true;
    this.#joined = false;
    clearTimeout(this.#retry);
    clearInterval(this.#watch);
    globalThis.removeEventListener?.('online', this.#onOnline);
    const socket = this.#socket;
    socket.onclose = null;
    if (socket.readyState < 2) socket.close(1000);
    this.#emit('closed', { code, reason });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
