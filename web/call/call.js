/**
 * The call: who is in it and how each is reached. A mesh: everybody has a connection to everybody.
 *
 * Payloads, each broadcast in the room; one with `to` is for that member alone:
 * `{type: 'hello', to?, name, microphone, camera, connections}`, `{type: 'bye'}`,
 * `{type: 'description', to, description, round, connection, for?}`,
 * `{type: 'candidate', to, candidate, connection, for?}`, `{type: 'restart', to, connection, for?}`.
 * `connection` is the id of the sender's end, `for` the receiver's as the sender knows it, and
 * `connections` the sender's ends by UserId. Of two peers the one whose UserId is smaller makes the
 * offers, and the other asks for them by `restart`.
 *
 * Events: `state` (see `state`); `peers` (another list of peers); with `detail.peer`, `peer` (it
 * changed), `came` (and said its name) and `went`.
 */
import { ELSEWHERE, ENDED, LEFT, REFUSED, REMOVED, Videre } from '../videre.js';
import { Peer } from './peer.js';

/** More would be too much for everybody's upstream. */
const MOST_PEOPLE = 6;

/**
 * How long somebody may be missing from the room: a server that restarts. Longer than the longest
 * delay between two tries to come back, in milliseconds.
 */
const PATIENCE = 12_000;

/** What our picture may take of the line for each of so many peers, in bits a second. */
const BITRATES = [null, null, 1_200_000, 900_000, 700_000, 500_000];

const FINAL_STATES = { [LEFT]: 'left', [ENDED]: 'ended', [REMOVED]: 'removed', [REFUSED]: 'denied', [ELSEWHERE]: 'elsewhere' };

export class Call extends EventTarget {
  #videre;
  #media;
  #iceServers;
  #name = '';
  #peers = new Map();
  #state = 'lobby';
  /** Whether signaling has just come back, and connections are to be looked after. */
  #resuming = false;
  #full = false;
  #over = new AbortController();

  /**
   * @param {object} options
   * @param {string} options.url the session's socket
   * @param {string} options.userId
   * @param {string} options.roomId
   * @param {RTCIceServer[]} options.iceServers
   * @param {() => Promise<number | false>} options.isOver see `Videre`
   * @param {import('./media.js').Media} options.media
   */
  constructor({ url, userId, roomId, iceServers, isOver, media }) {
    super();
    this.#media = media;
    this.#iceServers = iceServers;
    this.#videre = new Videre({ url, userId, roomId, isOver });
    const on = (type, handle) => this.#videre.addEventListener(type, ({ detail }) => handle(detail));
    on('joined', () => this.#joined());
    on('resumed', () => (this.#resuming = true));
    on('members', ({ userIds }) => this.#members(userIds));
    on('peer-joined', ({ userId }) => this.#peerJoined(userId));
    on('peer-left', ({ userId, removed }) => this.#peerLeft(userId, removed));
    on('message', ({ from, payload }) => this.#message(from, payload));
    on('closed', ({ code, final }) => this.#closed(code, final));
    const whileIn = { signal: this.#over.signal };
    media.addEventListener('changed', ({ detail }) => this.#mediaChanged(detail.kind), whileIn);
  }

  /** `lobby connecting waiting in-call reconnecting left removed ended denied elsewhere error` */
  get state() {
    return this.#state;
  }

  get peers() {
    return [...this.#peers.values()];
  }

  join(name) {
    this.#name = name;
    this.#set('connecting');
    this.#videre.connect();
  }

  leave() {
    this.#videre.send({ type: 'bye' });
    this.#videre.close();
  }

  #hello(to) {
    const connections = Object.fromEntries(this.peers.map((peer) => [peer.id, peer.connectionId]));
    const { microphone, camera } = this.#media;
    this.#videre.send({ type: 'hello', to, name: this.#name, microphone, camera, connections });
  }

  #joined() {
    this.#resuming = true;
    this.#hello();
  }

  #members(userIds) {
    // Somebody may be listed twice: a connection that the server does not know to be dead yet.
    const present = [...new Set(userIds)];
    if (present.indexOf(this.#videre.userId) >= MOST_PEOPLE) {
      this.#full = true;
      return this.leave();
    }
    const others = new Set(present.filter((userId) => userId !== this.#videre.userId));
    for (const peer of this.peers) {
      if (!others.has(peer.id)) peer.miss(PATIENCE);
      else if (this.#resuming) peer.resume();
      else if (peer.missing) peer.keep();
    }
    for (const userId of others) this.#peer(userId);
    this.#resuming = false;
    this.#settle();
  }

  #peerJoined(userId) {
    const known = this.#peers.get(userId);
    if (known) known.resume();
    else this.#peer(userId);
    this.#hello(userId);
  }

  #peerLeft(userId, removed) {
    const peer = this.#peers.get(userId);
    if (!peer) return;
    if (removed) return this.#drop(peer);
    peer.miss(PATIENCE);
    // It may be but an older connection of somebody who is back already.
    this.#videre.ask();
  }

  #message(from, payload) {
    if (payload?.to && payload.to !== this.#videre.userId) return;
    switch (payload?.type) {
      case 'hello':
        return this.#greeted(this.#peer(from), payload);
      case 'bye':
        return this.#peers.has(from) && this.#drop(this.#peers.get(from));
      case 'description':
      case 'candidate':
      case 'restart':
        return this.#peer(from).receive(payload);
    }
  }

  #greeted(peer, { name, microphone, camera, connections }) {
    const first = !peer.greeted;
    peer.greeted = true;
    peer.about = { name: String(name ?? '').slice(0, 60), microphone: microphone !== false, camera: camera !== false };
    peer.heardOf(connections?.[this.#videre.userId]);
    this.#tell('peer', { peer });
    if (first) this.#tell('came', { peer });
  }

  /** The peer of an id, made when first heard of. */
  #peer(id) {
    const known = this.#peers.get(id);
    if (known) return known;
    const peer = new Peer({
      id,
      offers: this.#videre.userId < id,
      iceServers: this.#iceServers,
      tracks: () => ({ audio: this.#media.track('audio'), video: this.#media.track('video') }),
      signal: (payload) => this.#videre.send({ ...payload, to: id }),
      hello: () => this.#hello(id),
    });
    peer.addEventListener('changed', () => {
      this.#tell('peer', { peer });
      this.#settle();
    });
    peer.addEventListener('gone', () => this.#drop(peer));
    this.#peers.set(id, peer);
    this.#peersChanged();
    return peer;
  }

  #drop(peer) {
    peer.close();
    this.#peers.delete(peer.id);
    this.#peersChanged();
    if (peer.greeted && !this.#over.signal.aborted) this.#tell('went', { peer });
  }

  #peersChanged() {
    const bitrate = BITRATES[this.#peers.size] ?? BITRATES.at(-1);
    for (const peer of this.peers) peer.limit(bitrate);
    this.#tell('peers');
    this.#settle();
  }

  #mediaChanged(kind) {
    for (const peer of this.peers) peer.replace(kind, this.#media.track(kind));
    this.#hello();
  }

  /** The state while all is well: alone, or with somebody. */
  #settle() {
    if (!this.#videre.joined) return;
    this.#set(this.peers.some(({ state }) => state === 'connected') ? 'in-call' : 'waiting');
  }

  #closed(code, final) {
    if (!final) return this.#set(this.#state === 'connecting' ? 'connecting' : 'reconnecting');
    this.#over.abort();
    for (const peer of this.peers) this.#drop(peer);
    this.#media.stop();
    this.#set(this.#full ? 'error' : FINAL_STATES[code] ?? 'ended');
  }

  #set(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.#tell('state', { state });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
