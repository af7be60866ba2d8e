/**
 * One RTCPeerConnection to another page. Of two peers one makes every offer, and the other asks for
 * one (`restart`), so that offers never cross: after a rollback a browser may decode a picture and
 * not paint it.
 *
 * Each end has an `id`; `remoteId` is the other end's, once it is known. They tell a peer that kept
 * its end from one that has begun anew.
 */
import { identifier } from './identifier.js';

const KINDS = ['audio', 'video'];

export class Connection {
  id = identifier();
  remoteId = null;
  /** What arrives. */
  stream = new MediaStream();
  #connection;
  #offers;
  #tracks;
  #signal;
  /** Counts the offers; an answer says which it is for. */
  #round = 0;
  /** The last step of negotiation: a step begins when the one before is done. */
  #steps = Promise.resolve();
  #bitrate = null;

  /**
   * @param {object} options
   * @param {boolean} options.offers whether the offers are ours to make
   * @param {RTCIceServer[]} options.iceServers
   * @param {{audio: MediaStreamTrack | null, video: MediaStreamTrack | null}} options.tracks ours
   * @param {(payload: object) => void} options.signal sends to the other
   * @param {() => void} options.changed the state or the stream is another
   */
  constructor({ offers, iceServers, tracks, signal, changed }) {
    this.#offers = offers;
    this.#tracks = { ...tracks };
    this.#signal = signal;
    const connection = new RTCPeerConnection({ iceServers });
    this.#connection = connection;
    connection.onicecandidate = ({ candidate }) => candidate && signal({ type: 'candidate', candidate });
    connection.ontrack = ({ track }) => {
      this.stream.addTrack(track);
      changed();
    };
    connection.onconnectionstatechange = () => {
      if (connection.connectionState === 'failed') this.restart();
      changed();
    };
    if (!offers) return;
    connection.onnegotiationneeded = () => this.#step(() => this.#offer());
    // Both kinds in both directions at once, so that a track may come and go without a new offer.
    for (const kind of KINDS) connection.addTransceiver(tracks[kind] ?? kind, { direction: 'sendrecv' });
  }

  /** `new`, `connecting`, `connected`, `disconnected`, `failed`. */
  get state() {
    return this.#connection.connectionState;
  }

  /** Sends another track of ours, or none. */
  async replace(kind, track) {
    this.#tracks[kind] = track;
    await this.#transceiver(kind)?.sender.replaceTrack(track);
  }

  /**
   * Bounds what our picture may take of the line.
   * @param {number | null} bitrate bits a second; null: whatever the browser finds good
   */
  async limit(bitrate) {
    this.#bitrate = bitrate;
    const sender = this.#transceiver('video')?.sender;
    const parameters = sender?.getParameters();
    // Before the first negotiation there is nothing to set; the end of it calls again.
    if (!parameters?.encodings?.length) return;
    for (const encoding of parameters.encodings) {
      if (bitrate) encoding.maxBitrate = bitrate;
      else delete encoding.maxBitrate;
    }
    // It fails if the connection changed meanwhile, and then it is set again.
    await sender.setParameters(parameters).catch(() => {});
  }

  /** After signaling was lost: says again what may not have arrived, or restarts what broke. */
  resume() {
    if (!['connected', 'completed'].includes(this.#connection.iceConnectionState)) this.restart();
  }

  /** Looks for another way to the other, or asks it to. An offer without an answer is made again. */
  restart() {
    if (!this.#offers) this.#signal({ type: 'restart' });
    else if (this.#connection.signalingState === 'have-local-offer') this.#describe();
    else if (this.#connection.remoteDescription) this.#connection.restartIce();
  }

  /** Takes the other's offer or answer. */
  describe(description, round) {
    return this.#step(async () => {
      const connection = this.#connection;
      if (description.type === 'offer') {
        if (this.#offers) return;
        this.#round = round;
        await connection.setRemoteDescription(description);
        await this.#answer();
      } else {
        // An offer that was made twice is answered twice.
        if (connection.signalingState !== 'have-local-offer' || round !== this.#round) return;
        await connection.setRemoteDescription(description);
      }
      await this.limit(this.#bitrate);
    });
  }

  /** Takes a candidate. One of an earlier round is of no use, and no error. */
  candidate(candidate) {
    return this.#step(() => this.#connection.addIceCandidate(candidate).catch(() => {}));
  }

  close() {
    this.#connection.onconnectionstatechange = null;
    this.#connection.close();
  }

  async #offer() {
    // Asked for while an offer was open: the browser asks again once it is answered.
    if (this.#connection.signalingState !== 'stable') return;
    this.#round += 1;
    await this.#connection.setLocalDescription();
    this.#describe();
  }

  async #answer() {
    for (const kind of KINDS) {
      const transceiver = this.#transceiver(kind);
      if (!transceiver) continue;
      transceiver.direction = 'sendrecv';
      await transceiver.sender.replaceTrack(this.#tracks[kind]);
    }
    await this.#connection.setLocalDescription();
    this.#describe();
  }

  #describe() {
    this.#signal({ type: 'description', description: this.#connection.localDescription, round: this.#round });
  }

  /** Does a step of negotiation after those before it, unless the connection was closed meanwhile. */
  #step(work) {
    const step = this.#steps.then(() => this.#connection.signalingState !== 'closed' && work());
    this.#steps = step.catch((error) => console.warn('negotiation:', error.message));
    return this.#steps;
  }

  #transceiver(kind) {
    return this.#connection.getTransceivers().find(({ receiver }) => receiver.track.kind === kind);
  }
}
