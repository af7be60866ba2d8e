/** The lobby of a session: who is to come, and the button that starts it. */
import { t } from '../i18n.js';
import { started } from './rules.js';
import { backend, values } from './values.js';

const { session } = values;
const status = document.getElementById('status');
const button = document.getElementById('start');

const LISTS = [
  ['opentera.users', session.session_users, 'user_name'],
  ['opentera.participants', session.session_participants, 'participant_name'],
  ['opentera.devices', session.session_devices, 'device_name'],
];

const element = (name, text) => Object.assign(document.createElement(name), { textContent: text });

function people() {
  return LISTS.filter(([, list]) => list?.length).flatMap(([title, list, name]) => {
    const items = element('ul', '');
    items.append(...list.map((one) => element('li', one[name] ?? '')));
    return [element('h2', t(title)), items];
  });
}

function say(text, failed = false) {
  status.textContent = text;
  status.classList.toggle('error', failed);
  button.disabled = !failed;
}

async function start() {
  say(t('opentera.starting'));
  const answer = await order().catch(() => null);
  if (!answer) return say(t('opentera.unreachable'), true);
  const { failed, url } = started(answer.status, answer.text, values);
  if (failed) return say(t('opentera.start.failed', { reason: failed }), true);
  say(t('opentera.started'));
  if (url) location.assign(url);
}

/** Orders the start; rejects if there is no answer. */
async function order() {
  const answer = await fetch(`${backend}/api/user/sessions/manager`, {
    method: 'POST',
    headers: { Authorization: `OpenTera ${values.token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ session_manage: { action: 'start', session_uuid: session.session_uuid } }),
  });
  return { status: answer.status, text: await answer.text() };
}

document.getElementById('session').textContent = session.session_name ?? '';
document.getElementById('comments').textContent = session.session_comments ?? '';
document.getElementById('people').append(...people());
button.onclick = start;
