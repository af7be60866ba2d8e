/**
 * One other person in the call: an RTCPeerConnection with perfect negotiation. Of two peers the one
 * with the smaller id is impolite: it makes the first offer, and its offer stands when two cross.
 *
 * Events: `changed` (state or stream), `failed` (nothing more will come).
 */
export class Peer extends EventTarget {
  #connection;
  #signal;
  #impolite;
  #making = false;
  #ignoring = false;
  #tracks;
  #dropTimer = null;
  /** What arrives, shown by the tile. */
  stream = new MediaStream();
  /** What the other told of itself. */
  about = { name: '', microphone: true, camera: true };

  /**
   * @param {object} options
   * @param {string} options.id the other's UserId
   * @param {boolean} options.impolite
   * @param {RTCIceServer[]} options.iceServers
   * @param {(payload: object) => void} options.signal sends to the other
   * @param {{audio: MediaStreamTrack | null, video: MediaStreamTrack | null}} options.tracks ours
   */
  constructor({ id, impolite, iceServers, signal, tracks }) {
    super();
    this.id = id;
    this.#signal = signal;
    this.#impolite = impolite;
    this.#tracks = { ...tracks };
    const connection = new RTCPeerConnection({ iceServers });
    this.#connection = connection;
    connection.onnegotiationneeded = () => this.#offer();
    connection.onicecandidate = ({ candidate }) => candidate && signal({ type: 'candidate', candidate });
    connection.ontrack = ({ track }) => this.#arrive(track);
    connection.onconnectionstatechange = () => {
      if (connection.connectionState === 'failed') this.#restart();
      this.#changed();
    };
    if (impolite) {
      // Both kinds in both directions at once, so that a track may come and go without a new offer.
      for (const kind of ['audio', 'video']) connection.addTransceiver(tracks[kind] ?? kind, { direction: 'sendrecv' });
    }
  }

  /** `connected`, `connecting`, `disconnected`, `failed` … */
  get state() {
    return this.#connection.connectionState;
  }

  /** Takes what the other signaled. */
  async receive(payload) {
    if (payload.type === 'description') await this.#describe(payload.description);
    else if (payload.type === 'candidate') await this.#candidate(payload.candidate);
  }

  /** Sends another track of ours, or none. */
  async replace(kind, track) {
    this.#tracks[kind] = track;
    const sender = this.#transceiver(kind)?.sender;
    await sender?.replaceTrack(track);
  }

  /** After signaling was lost: says again what may not have arrived, and restarts what broke. */
  resume() {
    this.keep();
    if (this.#connection.signalingState === 'have-local-offer') {
      this.#signal({ type: 'description', description: this.#connection.localDescription });
    } else if (!['connected', 'completed'].includes(this.#connection.iceConnectionState)) {
      this.#restart();
    }
  }

  /** The other is gone from the room: it may come back for `patience` milliseconds. */
  dropAfter(patience) {
    this.#dropTimer ??= setTimeout(() => this.dispatchEvent(new Event('failed')), patience);
    this.#changed();
  }

  /** The other is back. */
  keep() {
    clearTimeout(this.#dropTimer);
    this.#dropTimer = null;
    this.#changed();
  }

  /** Whether the other is missed in the room. */
  get missed() {
    return this.#dropTimer !== null;
  }

  close() {
    clearTimeout(this.#dropTimer);
    this.#connection.onconnectionstatechange = null;
    this.#connection.close();
  }

  #transceiver(kind) {
    return this.#connection.getTransceivers().find((transceiver) => transceiver.receiver.track.kind === kind);
  }

  #restart() {
    // The polite one waits for the other's offer, unless it has something to restart itself.
    if (this.#impolite || this.#connection.remoteDescription) this.#connection.restartIce();
  }

  async #offer() {
    if (!this.#impolite && !this.#connection.remoteDescription) return;
    try {
      this.#making = true;
      await this.#connection.setLocalDescription();
      this.#signal({ type: 'description', description: this.#connection.localDescription });
    } finally {
      this.#making = false;
    }
  }

  async #describe(description) {
    const connection = this.#connection;
    const crossed = description.type === 'offer' && (this.#making || connection.signalingState !== 'stable');
    this.#ignoring = crossed && this.#impolite;
    if (this.#ignoring) return;
    if (description.type === 'answer' && connection.signalingState !== 'have-local-offer') return;
    await connection.setRemoteDescription(description);
    if (description.type !== 'offer') return;
    for (const kind of ['audio', 'video']) {
      const transceiver = this.#transceiver(kind);
      if (!transceiver) continue;
      transceiver.direction = 'sendrecv';
      await transceiver.sender.replaceTrack(this.#tracks[kind]);
    }
    await connection.setLocalDescription();
    this.#signal({ type: 'description', description: connection.localDescription });
  }

  async #candidate(candidate) {
    try {
      await this.#connection.addIceCandidate(candidate);
    } catch (error) {
      // One that belongs to an offer we ignored, or that came before its description was lost.
      if (!this.#ignoring) console.debug('a candidate was of no use', error.name);
    }
  }

  #arrive(track) {
    for (const old of this.stream.getTracks().filter((known) => known.kind === track.kind)) this.stream.removeTrack(old);
    this.stream.addTrack(track);
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event('changed'));
  }
}
