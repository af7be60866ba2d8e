/**
 * The call: who is in it and how each is reached. A mesh: everybody has a connection to everybody.
 *
 * Payloads, each broadcast in the room; one with `to` is for that member alone:
 * `{type: 'hello', name, microphone, camera}`, `{type: 'description', to, description}`,
 * `{type: 'candidate', to, candidate}`, `{type: 'bye'}`.
 *
 * Events: `state` (see `state`), `peers` (somebody came or went), `peer` (`detail.peer` changed).
 */
import { OVER, Videre } from '../videre.js';
import { Peer } from './peer.js';

/** More would be too much for everybody's upstream. */
const MOST_PEOPLE = 6;

/** How long somebody may be missing from the room before the tile goes: a server that restarts. */
const PATIENCE = 10_000;

export class Call extends EventTarget {
  #link;
  #media;
  #iceServers;
  #name;
  #peers = new Map();
  #state = 'lobby';

  constructor({ url, userId, iceServers, isOver, media }) {
    super();
    this.#media = media;
    this.#iceServers = iceServers;
    this.#link = new Videre({ url, userId, isOver });
    const on = (type, handle) => this.#link.addEventListener(type, ({ detail }) => handle(detail));
    on('joined', () => this.#hello());
    on('members', ({ userIds }) => this.#members(userIds));
    on('peer-joined', ({ userId }) => this.#joined(userId));
    on('peer-left', ({ userId, removed }) => this.#left(userId, removed));
    on('message', ({ from, payload }) => this.#message(from, payload));
    on('reconnecting', () => this.#set(this.#state === 'connecting' ? 'connecting' : 'reconnecting'));
    on('closed', ({ code }) => this.#closed(code));
    media.addEventListener('changed', ({ detail }) => this.#mediaChanged(detail.kind));
  }

  /** `lobby connecting waiting in-call reconnecting left removed ended denied error` */
  get state() {
    return this.#state;
  }

  get peers() {
    return [...this.#peers.values()];
  }

  join(name) {
    this.#name = name;
    this.#set('connecting');
    this.#link.connect();
  }

  leave() {
    this.#link.send({ type: 'bye' });
    this.#link.close();
  }

  #hello(to) {
    const { sends } = this.#media;
    const about = { name: this.#name, microphone: sends.call(this.#media, 'audio'), camera: sends.call(this.#media, 'video') };
    this.#link.send({ type: 'hello', ...about, ...(to && { to }) });
  }

  #members(userIds) {
    const others = userIds.filter((userId) => userId !== this.#link.userId);
    if (userIds.indexOf(this.#link.userId) >= MOST_PEOPLE) {
      this.#set('error');
      return this.leave();
    }
    for (const userId of others) this.#peer(userId);
    for (const peer of this.peers) {
      if (!others.includes(peer.id)) peer.dropAfter(PATIENCE);
      else if (this.#state === 'reconnecting' || peer.missed) peer.resume();
    }
    this.#settle();
  }

  #joined(userId) {
    const known = this.#peers.get(userId);
    if (known) known.resume();
    else this.#peer(userId);
    this.#hello(userId);
    this.#settle();
  }

  #left(userId, removed) {
    const peer = this.#peers.get(userId);
    if (!peer) return;
    if (removed) this.#drop(peer);
    else peer.dropAfter(PATIENCE);
  }

  async #message(from, payload) {
    if (payload?.to && payload.to !== this.#link.userId) return;
    switch (payload?.type) {
      case 'hello': {
        const peer = this.#peer(from);
        peer.about = { name: String(payload.name ?? '').slice(0, 60), microphone: payload.microphone !== false, camera: payload.camera !== false };
        return this.#tell('peer', { peer });
      }
      case 'bye':
        return this.#peers.has(from) && this.#drop(this.#peers.get(from));
      case 'description':
      case 'candidate':
        return this.#peer(from).receive(payload);
    }
  }

  /** The peer of an id, made when first heard of. */
  #peer(id) {
    const known = this.#peers.get(id);
    if (known) return known;
    const tracks = { audio: this.#media.track('audio'), video: this.#media.track('video') };
    const signal = (payload) => this.#link.send({ ...payload, to: id });
    const peer = new Peer({ id, impolite: this.#link.userId < id, iceServers: this.#iceServers, signal, tracks });
    peer.addEventListener('changed', () => {
      this.#tell('peer', { peer });
      this.#settle();
    });
    peer.addEventListener('failed', () => this.#drop(peer));
    this.#peers.set(id, peer);
    this.#tell('peers');
    return peer;
  }

  #drop(peer) {
    peer.close();
    this.#peers.delete(peer.id);
    this.#tell('peers');
    this.#settle();
  }

  #mediaChanged(kind) {
    for (const peer of this.peers) peer.replace(kind, this.#media.track(kind));
    this.#hello();
  }

  /** The state while all is well: alone, or with somebody. */
  #settle() {
    if (!this.#link.joined) return;
    this.#set(this.peers.some((peer) => peer.state === 'connected') ? 'in-call' : 'waiting');
  }

  #closed(code) {
    const states = { [OVER]: 'ended', 4002: 'removed', 4003: 'denied', 1000: 'left' };
    for (const peer of this.peers) this.#drop(peer);
    this.#media.stop();
    if (this.#state !== 'error') this.#set(states[code] ?? 'ended');
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
