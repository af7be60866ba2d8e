/** What the page shows: the lobby, the call, or that it is over; and the state in words. */
import { t } from '../i18n.js';

const at = (id) => document.getElementById(id);
const INSIDE = ['connecting', 'waiting', 'in-call', 'reconnecting'];

/** States that a button leads back from. */
const MAY_REJOIN = ['left', 'error'];

/** How long a piece of news stays, in milliseconds. */
const NEWS_TIME = 6_000;

/** Shows a state of `Call`. */
export function showState(state) {
  const inside = INSIDE.includes(state);
  const lobby = state === 'lobby';
  const wasInside = INSIDE.includes(document.body.dataset.state);
  document.body.dataset.state = state;
  at('lobby').hidden = !lobby;
  at('call').hidden = !inside;
  at('over').hidden = inside || lobby;
  at('rejoin').hidden = !MAY_REJOIN.includes(state);
  at('status').textContent = t(`state.${state}`);
  if (lobby || inside) (inside ? at('in-call-devices') : at('lobby-devices')).append(at('devices'));
  at('device-menu').open = false;
  at('news').textContent = '';
  // What had the focus is gone: the next thing to do, or to read, takes it.
  if (inside && !wasInside) at('mute').focus();
  else if (!at('over').hidden) (at('rejoin').hidden ? at('status') : at('rejoin')).focus();
}

let timer;
/** Says for a moment that somebody came or went. */
export function showNews(key, peer) {
  clearTimeout(timer);
  at('news').textContent = t(key, { name: peer.about.name || t('call.guest') });
  timer = setTimeout(() => (at('news').textContent = ''), NEWS_TIME);
}

/** Closes the menu of devices by Escape, and by a click elsewhere. */
export function closeMenuByEscape() {
  const menu = at('device-menu');
  menu.addEventListener('keydown', ({ key }) => {
    if (key !== 'Escape' || !menu.open) return;
    menu.open = false;
    menu.querySelector('summary').focus();
  });
  document.addEventListener('click', ({ target }) => menu.contains(target) || (menu.open = false));
}
