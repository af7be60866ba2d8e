/** The dashboard: the sessions live, and what can be done with them. */
import { t, translate } from '../i18n.js';
import { LISTS, Refusal, manage, sessions } from './server.js';
import { SessionCard } from './session.js';

const INTERVAL = 1000;
const at = (id) => document.getElementById(id);
const cards = new Map();

async function act(work) {
  try {
    await work();
    at('message').textContent = '';
  } catch (error) {
    at('message').textContent = error instanceof Refusal ? error.message : t('dashboard.offline');
  }
}

function show(list) {
  const ids = new Set(list.map((session) => session.id_session));
  for (const [id, card] of cards) {
    if (ids.has(id)) continue;
    card.element.remove();
    cards.delete(id);
  }
  for (const session of list) {
    const id = session.id_session;
    if (!cards.has(id)) {
      cards.set(id, new SessionCard(id, act));
      at('sessions').prepend(cards.get(id).element);
    }
    cards.get(id).update(session);
  }
  at('empty').hidden = list.length > 0;
}

let offline = false;
async function refresh() {
  if (document.hidden) return;
  try {
    show(await sessions());
    if (offline) at('message').textContent = '';
    offline = false;
  } catch {
    offline = true;
    at('message').textContent = t('dashboard.offline');
  }
}

/** Names, one a line or between commas. */
const names = (field) => field.value.split(/[\n,]/).map((name) => name.trim()).filter(Boolean);

at('start-form').onsubmit = (event) => {
  event.preventDefault();
  const { users, participants, devices } = event.target.elements;
  act(async () => {
    const lists = { [LISTS.user]: names(users), [LISTS.participant]: names(participants), [LISTS.device]: names(devices) };
    await manage('start', { id_session: 0, ...lists });
    event.target.reset();
    await refresh();
  });
};

translate();
document.title = `${t('dashboard.title')} · viderehab`;
document.addEventListener('visibilitychange', refresh);
await refresh();
setInterval(refresh, INTERVAL);
