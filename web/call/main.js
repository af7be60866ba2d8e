/** The call page: puts the call, the media and what is on the screen together. */
import { t, translate } from '../i18n.js';
import { statusCheck } from '../videre.js';
import { addresses } from './address.js';
import { Call } from './call.js';
import { offerDevices } from './devices.js';
import { identifier } from './identifier.js';
import { Media } from './media.js';
import { showOwn } from './own.js';
import { rememberName, startingName } from './name.js';
import { closeMenuByEscape, showNews, showState } from './screen.js';
import { Tiles } from './tiles.js';

const at = (id) => document.getElementById(id);
const config = JSON.parse(at('config').textContent);
const { socket, status } = addresses(location, config.port);

/** Kept over reconnections, new with each page: a page that was reloaded is another member. */
const userId = identifier();
const media = new Media();
const tiles = new Tiles(at('stage'), at('peers'));
let call = null;

function join() {
  const name = at('name').value.trim();
  rememberName(name);
  const { room: roomId, iceServers } = config;
  call = new Call({ url: socket, userId, roomId, iceServers, isOver: statusCheck(status), media });
  call.addEventListener('state', ({ detail }) => showState(detail.state));
  call.addEventListener('peers', () => tiles.show(call.peers));
  call.addEventListener('peer', ({ detail }) => tiles.update(detail.peer));
  call.addEventListener('came', ({ detail }) => showNews('call.came', detail.peer));
  call.addEventListener('went', ({ detail }) => showNews('call.went', detail.peer));
  call.join(name);
}

translate();
document.title = config.session ? `${config.session} · viderehab` : 'viderehab';
at('session-name').textContent = config.session;
at('name').value = startingName(location);
at('join-form').onsubmit = (event) => {
  event.preventDefault();
  join();
};
at('leave').onclick = () => call.leave();
at('rejoin').onclick = () => {
  // The call need not wait for the camera, which comes into it when the browser gives it.
  media.start();
  join();
};
// The others need not wait to see that we are gone.
addEventListener('pagehide', () => call?.leave());

closeMenuByEscape();
showOwn(media);
offerDevices(media, (deviceId) => tiles.setSpeaker(deviceId));
showState('lobby');
at('name').focus();
media.start();
