/**
 * A client for videre signaling: small JSON packets between the members of a room. No dependency,
 * no DOM; runs in browsers and in Node. docs/PROTOCOL.md describes the packets.
 *
 *     const videre = new Videre({ url: 'wss://host/websocket/8080/ws?key=…', userId: 'U1' });
 *     videre.addEventListener('peer-joined', ({ detail }) => videre.send({ hello: detail.userId }));
 *     videre.addEventListener('message', ({ detail }) => console.log(detail.from, detail.payload));
 *     videre.connect();
 *
 * Events, each with these members of `detail`:
 *
 * | event         | detail                    | when                                                        |
 * | ------------- | ------------------------- | ----------------------------------------------------------- |
 * | `joined`      | `initiator`               | the room let us in, at first and when we came back too late |
 * | `resumed`     |                           | we are back where we were: nothing was lost, nobody noticed |
 * | `members`     | `userIds`                 | who is in the room, in join order; after those and `ask`    |
 * | `peer-joined` | `userId`                  | somebody else joined                                        |
 * | `peer-left`   | `userId`, `removed`       | somebody else left; `removed`: put out, will not come back  |
 * | `message`     | `from`, `payload`         | somebody else's `send`                                      |
 * | `error`       | `reason`                  | the server did not take a packet of ours                    |
 * | `closed`      | `code`, `reason`, `final` | the connection ended; `final`: nothing more follows         |
 * | `reconnecting`| `attempt`, `delay`        | after a `closed` that was not final: tried again in `delay` |
 *
 * Times are milliseconds.
 */
import { Seat } from './seat.js';

/**
 * The codes of a final `closed`: we left; the session ended; we were removed; the key opens nothing;
 * somebody, most likely we ourselves, opened the same personal link elsewhere.
 */
export const LEFT = 1000;
export const ENDED = 4001;
export const REMOVED = 4002;
export const REFUSED = 4003;
export const ELSEWHERE = 4006;

const FINAL_CODES = new Set([ENDED, REMOVED, REFUSED, ELSEWHERE]);

/** The code that we close a connection with that we found dead: not 1000, which would be a goodbye. */
const DEAD = 4000;

/** The bound of the first random delay, which doubles up to the longest. */
const FIRST_DELAY = 300;
const LONGEST_DELAY = 10_000;

/** A connection that lasted this long was a good one: the delays begin anew. */
const STEADY = 5_000;

/** Silence after which a ping asks for a sign of life, since a browser does not see a dead network. */
const PING_AFTER = 15_000;

/** Without the answer to a ping, or to our connect, for this long the connection is taken for lost. */
const PATIENCE = 8_000;

/**
 * An `isOver` for `Videre` that asks the session's `status` whether our key still opens it.
 * @param {string} url the session's `status?key=…`
 * @returns {() => Promise<number | false>}
 */
export function statusCheck(url) {
  const codes = { 403: REFUSED, 404: ENDED };
  return async () => {
    const { status } = await fetch(url, { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE) });
    return codes[status] ?? false;
  };
}

export class Videre extends EventTarget {
  #options;
  #socket = null;
  #seat = new Seat();
  /** Whether the room has let us in since we have had this seat. */
  #isMember = false;
  /** When the room let us in; 0: we are not in it. */
  #joinedAt = 0;
  #openedAt = 0;
  #heardAt = 0;
  /** When the ping was sent that has no answer yet; 0: none. */
  #askedAt = 0;
  #attempt = 0;
  #retry = null;
  #watch = null;
  #over = true;
  #onOnline = () => (this.#retry ? this.#again() : this.ask());

  /**
   * @param {object} options
   * @param {string} options.url the session's socket, with its key
   * @param {string} options.userId who we are in the room; kept over reconnections
   * @param {string} [options.roomId]
   * @param {() => Promise<number | boolean>} [options.isOver] asked when a reconnection failed,
   *   before the next: whether trying again is of no use, or the code to end with then. A rejection
   *   means that nobody knows, and counts as no
   * @param {typeof WebSocket} [options.WebSocket] another implementation
   * @param {() => number} [options.random] chance, for tests
   */
  constructor(options) {
    super();
    const defaults = { roomId: 'main', isOver: async () => false, WebSocket: globalThis.WebSocket, random: Math.random };
    this.#options = { ...defaults, ...options };
  }

  /** Who we are in the room. */
  get userId() {
    return this.#options.userId;
  }

  /** Whether we are in the room now. */
  get joined() {
    return this.#joinedAt > 0;
  }

  /** Connects, joins, and stays joined until `close` or a final `closed`. */
  connect() {
    if (!this.#over) return;
    this.#over = false;
    this.#attempt = 0;
    this.#seat = new Seat();
    this.#isMember = false;
    globalThis.addEventListener?.('online', this.#onOnline);
    this.#open();
  }

  /**
   * Sends a payload to the others in the room. While the connection is lost it is kept, and sent when we
   * come back in time. If we come too late, `joined` is the moment to say anew what still holds.
   * @param {unknown} payload any JSON value
   * @returns {boolean} whether it was sent or kept
   */
  send(payload) {
    if (this.joined) return this.#packet('broadcast', payload);
    return this.#isMember && this.#seat.keep(this.#text('broadcast', payload));
  }

  /** Asks who is in the room; `members` is the answer. Outside the room nothing happens. */
  ask() {
    if (!this.joined) return;
    this.#askedAt ||= Date.now();
    this.#packet('ping', '{}');
  }

  /** Leaves for good: `closed` follows at once, with `LEFT`. */
  close() {
    if (this.#over) return;
    if (this.joined) this.#packet('disconnect', '');
    this.#finish(LEFT, 'left');
  }

  #open() {
    const socket = new this.#options.WebSocket(this.#options.url);
    this.#socket = socket;
    this.#openedAt = Date.now();
    this.#askedAt = 0;
    socket.onopen = () => this.#say('resume', this.#seat.request);
    socket.onmessage = ({ data }) => this.#receive(data);
    // A close always follows; Node's implementations throw where nobody listens.
    socket.onerror = () => {};
    socket.onclose = ({ code, reason }) => this.#lost(code, reason);
    this.#watch = setInterval(() => this.#lookAfter(), 1000);
  }

  #lookAfter() {
    const now = Date.now();
    const waiting = this.joined ? this.#askedAt : this.#openedAt;
    if (this.joined) this.#acknowledge();
    if (waiting && now - waiting > PATIENCE) {
      this.#abandon(DEAD);
      this.#lost(1006, 'no sign of life');
    } else if (this.joined && !this.#askedAt && now - this.#heardAt > PING_AFTER) {
      this.ask();
    }
  }

  /** Lets go of the socket without waiting for an answer that may not come. */
  #abandon(code) {
    const socket = this.#socket;
    for (const handler of ['onopen', 'onmessage', 'onclose']) socket[handler] = null;
    if (socket.readyState < 2) socket.close(code);
  }

  #text(Event, Payload) {
    const { userId: UserId, roomId: RoomId } = this.#options;
    return JSON.stringify({ Header: { Event, UserId, RoomId }, Payload });
  }

  #packet(event, payload) {
    const text = this.#text(event, payload);
    this.#seat.keep(text);
    this.#socket.send(text);
    return true;
  }

  /** A packet between the server and us, which is not counted. */
  #say(Event, Payload) {
    this.#socket.send(JSON.stringify({ Header: { Event }, Payload }));
  }

  #acknowledge() {
    const { news } = this.#seat;
    if (news !== null) this.#say('ack', news);
  }

  /** The server has found our seat, or given us another. */
  #seated({ token, resumed, received }) {
    if (!resumed) {
      this.#seat.anew(token);
      this.#isMember = false;
      return this.#packet('connect', '{}');
    }
    for (const text of this.#seat.back(received)) this.#socket.send(text);
    if (!this.#isMember) return;
    this.#joinedAt = Date.now();
    this.#emit('resumed', {});
    this.ask();
  }

  #receive(data) {
    this.#heardAt = Date.now();
    const { Header: header, Payload: payload } = parse(data) ?? {};
    if (header?.Event === 'resume') return this.#seated(payload ?? {});
    if (header?.Event === 'ack') return this.#seat.arrived(payload);
    if (this.#seat.count()) this.#acknowledge();
    const own = header?.UserId === this.#options.userId;
    switch (header?.Event) {
      case 'connect':
        if (!own) return this.#emit('peer-joined', { userId: header.UserId });
        this.#isMember = true;
        this.#joinedAt = Date.now();
        this.#emit('joined', { initiator: payload === 'true' });
        return this.ask();
      case 'ping':
        this.#askedAt = 0;
        return this.#emit('members', { userIds: parse(payload) ?? [] });
      case 'broadcast':
        return own || this.#emit('message', { from: header.UserId, payload });
      case 'disconnect':
        // Our own: an earlier connection of ours that the server has just found dead.
        return own || this.#emit('peer-left', { userId: header.UserId, removed: header.Reason === 'removed' });
      case 'error':
        return this.#emit('error', { reason: payload });
    }
  }

  #lost(code, reason) {
    clearInterval(this.#watch);
    if (this.joined && Date.now() - this.#joinedAt > STEADY) this.#attempt = 0;
    this.#joinedAt = 0;
    if (FINAL_CODES.has(code)) return this.#finish(code, reason);
    this.#emit('closed', { code, reason, final: false });
    if (this.#over) return;
    // Anywhere below the bound, so that those who lost a server together do not return together.
    const longest = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#attempt);
    const delay = Math.round(longest * this.#options.random());
    this.#attempt += 1;
    this.#retry = setTimeout(() => this.#again(), delay);
    this.#emit('reconnecting', { attempt: this.#attempt, delay });
  }

  async #again() {
    clearTimeout(this.#retry);
    this.#retry = null;
    // The first retry asks nothing: the server most likely is there, and so are we.
    const over = this.#attempt > 1 && (await this.#options.isOver().catch(() => false));
    if (this.#over) return;
    if (over) this.#finish(over === true ? ENDED : over, 'the key opens nothing any more');
    else this.#open();
  }

  #finish(code, reason) {
    this.#over = true;
    this.#joinedAt = 0;
    this.#isMember = false;
    clearTimeout(this.#retry);
    this.#retry = null;
    clearInterval(this.#watch);
    globalThis.removeEventListener?.('online', this.#onOnline);
    this.#abandon(LEFT);
    this.#emit('closed', { code, reason, final: true });
  }

  #emit(type, detail) {
    this.dispatchEvent(Object.assign(new Event(type), { detail }));
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
