/** The call page: puts the call, the media and what is on the screen together. */
import { t, translate } from '../i18n.js';
import { addresses } from './address.js';
import { Call } from './call.js';
import { offerDevices } from './devices.js';
import { Media } from './media.js';
import { Tiles } from './tiles.js';

const config = JSON.parse(document.getElementById('config').textContent);
const at = (id) => document.getElementById(id);
const where = addresses(location, config.port);
const parameters = new URLSearchParams(location.search);

const media = new Media();
const tiles = new Tiles(at('peers'));
const fillDevices = offerDevices(media, (deviceId) => tiles.setSpeaker(deviceId));

/** Kept over reconnections, new with each page: a reloaded page is another member. */
const userId = crypto.getRandomValues(new Uint32Array(4)).reduce((id, part) => id + part.toString(36), '');
let call = null;

/** Whether the session or our key is gone. A server that does not answer may come back. */
async function isOver() {
  const { status } = await fetch(where.status, { cache: 'no-store' });
  if (status === 403) keyTaken = true;
  return status === 403 || status === 404;
}
let keyTaken = false;

function showOwn() {
  const tracks = ['audio', 'video'].map((kind) => media.track(kind)).filter(Boolean);
  const stream = new MediaStream(tracks.filter((track) => track.kind === 'video'));
  for (const id of ['preview', 'local']) at(id).srcObject = stream;
  const sends = { audio: media.sends('audio'), video: media.sends('video') };
  at('mute').textContent = t(sends.audio ? 'call.mute' : 'call.unmute');
  at('mute').setAttribute('aria-pressed', String(!sends.audio));
  at('camera-toggle').textContent = t(sends.video ? 'call.camera.off' : 'call.camera.on');
  at('camera-toggle').setAttribute('aria-pressed', String(!sends.video));
  at('share').textContent = t(media.sharing ? 'call.share.stop' : 'call.share');
  at('share').setAttribute('aria-pressed', String(media.sharing));
  for (const own of document.querySelectorAll('.own')) {
    own.classList.toggle('no-picture', !sends.video);
    own.classList.toggle('shares', media.sharing);
  }
  const missing = !media.track('audio') && !media.track('video') ? 'media.none' : !media.track('video') ? 'media.audio' : !media.track('audio') ? 'media.video' : '';
  at('media-note').textContent = missing && media.wanted.video ? t(missing) : '';
}

function showState(state) {
  const shown = state === 'ended' && keyTaken ? 'denied' : state;
  document.body.dataset.state = shown;
  const inside = ['connecting', 'waiting', 'in-call', 'reconnecting'].includes(shown);
  at('lobby').hidden = shown !== 'lobby';
  at('call').hidden = !inside;
  at('over').hidden = inside || shown === 'lobby';
  at('devices').hidden = !inside && shown !== 'lobby';
  at('rejoin').hidden = shown !== 'left';
  at('status').textContent = t(`state.${shown}`);
  (inside ? at('in-call-devices') : at('lobby-devices')).append(at('devices'));
  if (at('over').hidden === false) at('status').focus();
}

function join() {
  const name = at('name').value.trim();
  localStorage.setItem('viderehab.name', name);
  call = new Call({ url: where.socket, userId, iceServers: config.iceServers, isOver, media });
  call.addEventListener('state', ({ detail }) => showState(detail.state));
  call.addEventListener('peers', () => tiles.show(call.peers));
  call.addEventListener('peer', ({ detail }) => tiles.update(detail.peer));
  call.join(name);
}

async function prepare() {
  showState('lobby');
  await media.start();
  await fillDevices();
}

media.addEventListener('changed', showOwn);
at('join-form').onsubmit = (event) => {
  event.preventDefault();
  join();
};
at('mute').onclick = () => media.setMicrophone(!media.sends('audio'));
at('camera-toggle').onclick = () => media.setCamera(!media.sends('video'));
at('share').onclick = () => (media.sharing ? media.unshare() : media.share().catch(() => {}));
at('leave').onclick = () => call.leave();
at('rejoin').onclick = async () => {
  await prepare();
  join();
};
addEventListener('pagehide', () => call?.leave());

translate();
document.title = config.session ? `${config.session} · viderehab` : 'viderehab';
at('session-name').textContent = config.session;
at('name').value = parameters.get('name') ?? localStorage.getItem('viderehab.name') ?? '';
at('share').hidden = !navigator.mediaDevices?.getDisplayMedia;
await prepare();
