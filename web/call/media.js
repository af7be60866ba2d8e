/**
 * Our own camera, microphone and screen. The tracks change over a call; `changed` tells of it, with
 * `detail.kind` `audio` or `video`.
 */
export class Media extends EventTarget {
  #tracks = { audio: null, video: null };
  #screen = null;
  #chosen = { audio: undefined, video: undefined };
  /** Whether we mean to be heard and seen; a device may still be missing. */
  wanted = { audio: true, video: true };

  /** What is sent now: the screen in place of the camera while it is shared. */
  track(kind) {
    return kind === 'video' && this.#screen ? this.#screen : this.#tracks[kind];
  }

  get sharing() {
    return this.#screen !== null;
  }

  /** Whether we can be heard, or seen, at this moment. */
  sends(kind) {
    return this.wanted[kind] && this.track(kind) !== null;
  }

  /** Asks for both, then for whichever may be had. */
  async start() {
    const both = await this.#ask({ audio: true, video: this.#video() });
    const stream = both ?? null;
    this.#tracks.audio = stream?.getAudioTracks()[0] ?? (await this.#ask({ audio: true }))?.getAudioTracks()[0] ?? null;
    this.#tracks.video = stream?.getVideoTracks()[0] ?? (await this.#ask({ video: this.#video() }))?.getVideoTracks()[0] ?? null;
    for (const kind of ['audio', 'video']) this.#watch(kind);
    this.#tell('audio');
    this.#tell('video');
  }

  /** Lets go of everything: the camera's light goes out. */
  stop() {
    this.#screen?.stop();
    this.#screen = null;
    for (const kind of ['audio', 'video']) {
      this.#tracks[kind]?.stop();
      this.#tracks[kind] = null;
    }
  }

  /** Devices to choose from, by kind: `videoinput`, `audioinput`, `audiooutput`. */
  async devices() {
    const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    return Object.groupBy(all.filter((device) => device.deviceId), (device) => device.kind);
  }

  /** The device in use. */
  deviceId(kind) {
    return this.#tracks[kind]?.getSettings().deviceId;
  }

  /** Changes to another device; keeps the present one if that cannot be opened. */
  async choose(kind, deviceId) {
    this.#chosen[kind] = deviceId;
    if (kind === 'video' && !this.wanted.video) return;
    await this.#open(kind);
  }

  /** Mutes or unmutes. */
  async setMicrophone(on) {
    this.wanted.audio = on;
    if (on && !this.#tracks.audio) await this.#open('audio');
    if (this.#tracks.audio) this.#tracks.audio.enabled = on;
    this.#tell('audio');
  }

  /** Off, the camera itself is let go of, so that its light goes out. */
  async setCamera(on) {
    this.wanted.video = on;
    if (on) return this.#open('video');
    this.#tracks.video?.stop();
    this.#tracks.video = null;
    this.#tell('video');
  }

  /** Shares the screen, until `unshare` or the browser's own button. */
  async share() {
    const stream = await navigator.mediaDevices.getDisplayMedia({ video: true });
    [this.#screen] = stream.getVideoTracks();
    this.#screen.contentHint = 'detail';
    this.#screen.onended = () => this.unshare();
    this.#tell('video');
  }

  unshare() {
    this.#screen?.stop();
    this.#screen = null;
    this.#tell('video');
  }

  #video(exact) {
    const size = { width: { ideal: 1280 }, height: { ideal: 720 } };
    return exact ? { ...size, deviceId: { exact } } : size;
  }

  async #open(kind) {
    const deviceId = this.#chosen[kind];
    const constraints = kind === 'video' ? this.#video(deviceId) : deviceId ? { deviceId: { exact: deviceId } } : true;
    // Some systems give a camera to one holder at a time, so the old one is let go of first.
    this.#tracks[kind]?.stop();
    const stream = (await this.#ask({ [kind]: constraints })) ?? (await this.#ask({ [kind]: true }));
    this.#tracks[kind] = stream?.getTracks()[0] ?? null;
    if (kind === 'audio' && this.#tracks.audio) this.#tracks.audio.enabled = this.wanted.audio;
    this.#watch(kind);
    this.#tell(kind);
  }

  #watch(kind) {
    const track = this.#tracks[kind];
    if (!track) return;
    // A device that is pulled out leaves us without it, until another is chosen.
    track.onended = () => {
      if (this.#tracks[kind] !== track) return;
      this.#tracks[kind] = null;
      this.#tell(kind);
    };
  }

  async #ask(constraints) {
    try {
      return await navigator.mediaDevices.getUserMedia(constraints);
    } catch {
      return null;
    }
  }

  #tell(kind) {
    this.dispatchEvent(new CustomEvent('changed', { detail: { kind } }));
  }
}
