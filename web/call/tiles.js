/** The pictures of the others, one tile each. */
import { t } from '../i18n.js';

export class Tiles {
  #stage;
  #grid;
  #tiles = new Map();
  #speaker = '';

  /**
   * @param {HTMLElement} stage its `data-count` is the number of tiles
   * @param {HTMLElement} grid holds them
   */
  constructor(stage, grid) {
    this.#stage = stage;
    this.#grid = grid;
  }

  /** Shows just these peers. */
  show(peers) {
    const ids = new Set(peers.map((peer) => peer.id));
    for (const [id, tile] of this.#tiles) {
      if (ids.has(id)) continue;
      tile.querySelector('video').srcObject = null;
      tile.remove();
      this.#tiles.delete(id);
    }
    for (const peer of peers) {
      if (!this.#tiles.has(peer.id)) this.#add(peer);
      this.update(peer);
    }
    this.#stage.dataset.count = String(peers.length);
  }

  update(peer) {
    const tile = this.#tiles.get(peer.id);
    if (!tile) return;
    const video = tile.querySelector('video');
    if (video.srcObject !== peer.stream) video.srcObject = peer.stream;
    const name = peer.about.name || t('call.guest');
    tile.querySelector('.peer-name').textContent = name;
    video.setAttribute('aria-label', t('call.picture', { name }));
    tile.querySelector('.initial').textContent = name.slice(0, 1).toUpperCase();
    tile.querySelector('.muted').hidden = peer.about.microphone;
    tile.classList.toggle('no-picture', !peer.about.camera || peer.stream.getVideoTracks().length === 0);
    tile.querySelector('.peer-state').textContent = words(peer);
    tile.dataset.connection = peer.state;
  }

  /** Lets everybody be heard by another speaker, where the browser can. */
  setSpeaker(deviceId) {
    this.#speaker = deviceId;
    for (const tile of this.#tiles.values()) tile.querySelector('video').setSinkId?.(deviceId).catch(() => {});
  }

  #add(peer) {
    const tile = document.getElementById('tile').content.firstElementChild.cloneNode(true);
    tile.dataset.peer = peer.id;
    tile.querySelector('.muted').textContent = t('call.muted');
    this.#grid.append(tile);
    this.#tiles.set(peer.id, tile);
    if (this.#speaker) this.setSpeaker(this.#speaker);
  }
}

/** What is to be said of a peer's connection; nothing while all is well. */
function words({ missing, state }) {
  if (missing || ['disconnected', 'failed'].includes(state)) return t('peer.lost');
  return state === 'connected' ? '' : t('peer.connecting');
}
