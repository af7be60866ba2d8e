/** The dashboard: the sessions live, and what can be done with them. */
import { t, translate } from '../i18n.js';
import { LISTS, Refusal, manage, sessions } from './server.js';
import { SessionCard } from './session.js';

/** How often the sessions are asked for, in milliseconds. */
const INTERVAL = 1000;

const at = (id) => document.getElementById(id);
const cards = new Map();

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
      cards.set(id, new SessionCard(id, stopped));
      at('sessions').prepend(cards.get(id).element);
    }
    cards.get(id).update(session);
  }
  at('empty').hidden = list.length > 0;
}

function stopped() {
  at('live-title').focus();
  return refresh();
}

async function refresh() {
  try {
    show(await sessions());
    at('offline').hidden = true;
  } catch {
    at('offline').hidden = false;
  }
}

/** Asks, waits for the answer, rests, and asks again: a slow server is not asked twice at once. */
async function watch() {
  if (!document.hidden) await refresh();
  setTimeout(watch, INTERVAL);
}

/** Names, one a line or between commas. */
const names = (field) => field.value.split(/[\n,]/).map((name) => name.trim()).filter(Boolean);

at('start-form').onsubmit = async (event) => {
  event.preventDefault();
  const form = event.target;
  const { users, participants, devices } = form.elements;
  at('start').disabled = true;
  at('message').textContent = '';
  try {
    const lists = { [LISTS.user]: names(users), [LISTS.participant]: names(participants), [LISTS.device]: names(devices) };
    await manage('start', { id_session: 0, ...lists });
    form.reset();
  } catch (error) {
    at('message').textContent = error instanceof Refusal ? error.message : t('dashboard.offline');
  }
  at('start').disabled = false;
  await refresh();
};

translate();
document.title = `${t('dashboard.title')} · viderehab`;
document.addEventListener('visibilitychange', () => document.hidden || refresh());
watch();
