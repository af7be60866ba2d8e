/**
 * Our own camera, microphone and screen. The tracks change over a call; `changed` tells of it, with
 * `detail.kind` `audio` or `video`.
 */
export class Media extends EventTarget {
  #tracks = { audio: null, video: null };
  #screen = null;
  /** The devices asked for, by kind; undefined: whichever the browser takes. */
  #chosen = { audio: undefined, video: undefined };
  /** Whether we mean to be heard and seen; a device may still be missing. */
  #wanted = { audio: true, video: true };
  /** The last opening of each kind: one at a time, so that of two choices the later stands. */
  #opening = { audio: Promise.resolve(), video: Promise.resolve() };
  /** Whether the page may hold devices now; a permission may be granted after the call. */
  #held = false;

  /** What is sent now: the screen in place of the camera while it is shared. */
  track(kind) {
    return kind === 'video' ? this.#screen ?? this.#tracks.video : this.#tracks.audio;
  }

  get sharing() {
    return this.#screen !== null;
  }

  /** Whether we can be heard. */
  get microphone() {
    return this.#wanted.audio && this.#tracks.audio !== null;
  }

  /** Whether we can be seen, or our screen. */
  get camera() {
    return this.track('video') !== null;
  }

  /** Whether the camera is meant to be on, a shared screen apart. */
  get cameraOn() {
    return this.#wanted.video && this.#tracks.video !== null;
  }

  /** What is wanted and cannot be had: `audio`, `video`, `both`, `insecure`, or null. */
  get missing() {
    const lacks = (kind) => this.#wanted[kind] && this.#tracks[kind] === null;
    if (!lacks('audio') && !lacks('video')) return null;
    // Browsers give devices to pages that came over TLS only.
    if (!navigator.mediaDevices) return 'insecure';
    return lacks('audio') && lacks('video') ? 'both' : lacks('audio') ? 'audio' : 'video';
  }

  /** Asks for both, then for whichever may be had. Devices turned off before stay off. */
  async start() {
    this.#held = true;
    const video = this.#wanted.video && this.#constraints('video');
    const both = await this.#ask({ audio: this.#constraints('audio'), ...(video && { video }) });
    if (both) {
      for (const track of both.getTracks()) this.#take(track.kind, track);
    } else {
      await this.#open('audio');
      if (this.#wanted.video) await this.#open('video');
    }
  }

  /** Lets go of everything: the camera's light goes out. */
  stop() {
    this.#held = false;
    for (const track of [this.#screen, this.#tracks.audio, this.#tracks.video]) track?.stop();
    this.#screen = null;
    this.#tracks = { audio: null, video: null };
  }

  /** The devices of a kind: `videoinput`, `audioinput`, `audiooutput`. */
  async devices(kind) {
    const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    // Before a permission they are there, but nameless.
    return all.filter((device) => device.kind === kind && device.deviceId);
  }

  /** The device in use, or to be used. */
  deviceId(kind) {
    return this.#tracks[kind]?.getSettings().deviceId ?? this.#chosen[kind];
  }

  /** Changes to another device. */
  async choose(kind, deviceId) {
    this.#chosen[kind] = deviceId;
    if (this.#wanted[kind] || this.#tracks[kind]) await this.#open(kind);
  }

  /** Mutes or unmutes. */
  async setMicrophone(on) {
    this.#wanted.audio = on;
    if (on && !this.#tracks.audio) return this.#open('audio');
    if (this.#tracks.audio) this.#tracks.audio.enabled = on;
    this.#tell('audio');
  }

  /** Off, the camera itself is let go of, so that its light goes out. */
  async setCamera(on) {
    this.#wanted.video = on;
    if (on) return this.#open('video');
    this.#tracks.video?.stop();
    this.#tracks.video = null;
    this.#tell('video');
  }

  /** Shares the screen, until `unshare` or the browser's own button. Rejects if the user would not. */
  async share() {
    const stream = await navigator.mediaDevices.getDisplayMedia({ video: true });
    const [screen] = stream.getVideoTracks();
    if (!this.#held) return screen.stop();
    // Text must stay readable; movement may stutter.
    screen.contentHint = 'detail';
    screen.onended = () => this.unshare();
    this.#screen?.stop();
    this.#screen = screen;
    this.#tell('video');
  }

  unshare() {
    this.#screen?.stop();
    this.#screen = null;
    this.#tell('video');
  }

  #open(kind) {
    this.#opening[kind] = this.#opening[kind].then(() => this.#openNow(kind));
    return this.#opening[kind];
  }

  async #openNow(kind) {
    if (!this.#held || !this.#wanted[kind]) return;
    // Some systems give a camera to one holder at a time, so the old one is let go of first.
    this.#tracks[kind]?.stop();
    const stream = (await this.#ask({ [kind]: this.#constraints(kind) })) ?? (await this.#ask({ [kind]: true }));
    this.#take(kind, stream?.getTracks()[0] ?? null);
  }

  #constraints(kind) {
    const deviceId = this.#chosen[kind] ? { deviceId: { exact: this.#chosen[kind] } } : {};
    return kind === 'video' ? { width: { ideal: 1280 }, height: { ideal: 720 }, ...deviceId } : { ...deviceId };
  }

  #take(kind, track) {
    // While the browser asked, the call may have ended or the camera been turned off.
    if (!this.#held || (kind === 'video' && !this.#wanted.video)) {
      track?.stop();
      track = null;
    }
    if (track) {
      if (kind === 'audio') track.enabled = this.#wanted.audio;
      // A device that is pulled out leaves us without it, until another is chosen.
      track.onended = () => {
        if (this.#tracks[kind] === track) this.#take(kind, null);
      };
    }
    this.#tracks[kind] = track;
    this.#tell(kind);
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
