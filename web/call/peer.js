/**
 * One other person in the call: what they told of themselves, the connection to them, and whether
 * they are missing from the room.
 *
 * Events: `changed` (anything shown), `gone` (missing for too long).
 */
import { Connection } from './connection.js';

export class Peer extends EventTarget {
  #connection;
  #begin;
  #hello;
  #dropTimer = null;
  #bitrate = null;
  /** Whether the other has told of itself yet. */
  greeted = false;
  /** What the other told of itself. */
  about = { name: '', microphone: true, camera: true };

  /**
   * @param {object} options
   * @param {string} options.id the other's UserId
   * @param {boolean} options.offers whether the offers are ours to make
   * @param {RTCIceServer[]} options.iceServers
   * @param {() => object} options.tracks ours, as they are now
   * @param {(payload: object) => void} options.signal sends to the other
   * @param {() => void} options.hello tells the other which connection is ours
   */
  constructor({ id, offers, iceServers, tracks, signal, hello }) {
    super();
    this.id = id;
    this.#hello = hello;
    this.#begin = () => {
      const connection = new Connection({
        offers,
        iceServers,
        tracks: tracks(),
        signal: (payload) => signal({ ...payload, connection: connection.id, for: connection.remoteId ?? undefined }),
        changed: () => connection === this.#connection && this.#connectionChanged(),
      });
      connection.limit(this.#bitrate);
      return connection;
    };
    this.#connection = this.#begin();
  }

  /** The id of our end of the connection. */
  get connectionId() {
    return this.#connection.id;
  }

  get stream() {
    return this.#connection.stream;
  }

  get state() {
    return this.#connection.state;
  }

  /** Whether the other is missing from the room. */
  get missing() {
    return this.#dropTimer !== null;
  }

  /** Takes a description, a candidate, or a wish for another offer. */
  receive({ type, description, round, candidate, connection, for: meant }) {
    if (meant && meant !== this.#connection.id) {
      // It is for an end that we gave up while the other did not hear of us.
      if (type !== 'candidate') this.#hello();
    } else if (type === 'candidate') {
      if (this.#connection.remoteId === connection) this.#connection.candidate(candidate);
    } else if (this.heardOf(connection) && type === 'restart') {
      // The end that we have just begun makes its offer by itself.
    } else if (type === 'restart') {
      this.#connection.restart();
    } else {
      this.#connection.remoteId = connection;
      this.#connection.describe(description, round);
    }
  }

  /** The other says which end is its own. If it has begun anew, so must we; tells whether we did. */
  heardOf(remoteId) {
    const known = this.#connection.remoteId;
    if (!remoteId || !known || remoteId === known) return false;
    this.#connection.close();
    this.#connection = this.#begin();
    this.#changed();
    return true;
  }

  replace(kind, track) {
    return this.#connection.replace(kind, track);
  }

  limit(bitrate) {
    this.#bitrate = bitrate;
    return this.#connection.limit(bitrate);
  }

  /** Signaling is back, on our side or theirs. */
  resume() {
    this.keep();
    this.#connection.resume();
  }

  /** The other is missing from the room, and gone if not back within `patience` milliseconds. */
  miss(patience) {
    if (['failed', 'new'].includes(this.state)) return this.#gone();
    this.#dropTimer ??= setTimeout(() => this.#gone(), patience);
    this.#changed();
  }

  /** The other is in the room after all. */
  keep() {
    clearTimeout(this.#dropTimer);
    this.#dropTimer = null;
    this.#changed();
  }

  close() {
    clearTimeout(this.#dropTimer);
    this.#connection.close();
  }

  #connectionChanged() {
    if (this.missing && this.state === 'failed') this.#gone();
    else this.#changed();
  }

  #gone() {
    this.dispatchEvent(new Event('gone'));
  }

  #changed() {
    this.dispatchEvent(new Event('changed'));
  }
}
