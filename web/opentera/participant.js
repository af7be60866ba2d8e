/** The participant's dashboard: logged in with the server, it shows the waiting room or the session. */
import { t } from '../i18n.js';
import { LOGGED_OUT, pageAddress, pauseAfter, sessionAddress, told } from './rules.js';
import { backend, values } from './values.js';

const frame = document.getElementById('frame');
const status = document.getElementById('status');

/** How a session's page is waited for: it may not be up when the invitation comes. */
const POLLS = 12;
const POLL_PAUSE = 250;

let failures = 0;
/** The invitation that is shown, or about to be; null in the waiting room. */
let shown = null;

document.getElementById('name').textContent = values.participantName ?? '';

const pause = (time) => new Promise((done) => setTimeout(done, time));
const say = (key) => (status.textContent = key ? t(key) : '');
const page = (name, more) => (frame.src = pageAddress(name, { token: values.token, ...more }));
const api = (path) => fetch(`${backend}/api/participant/${path}`, { headers: { Authorization: `OpenTera ${values.token}` } });

function waitingRoom(message) {
  shown = null;
  page('participant_localview', { source: values.source ?? '', ...(message && { message: t(message) }) });
}

async function logIn() {
  let answer;
  try {
    answer = await api('login');
  } catch {
    // The network is away, or the server: not the participant's fault.
    return again();
  }
  if (!answer.ok) {
    if (answer.status >= 500) return again();
    return page('participant_error', { error: (await answer.text()).trim() || String(answer.status) });
  }
  const { websocket_url: address } = await answer.json();
  if (address) return listen(address);
  // Online already, in another window or before a lost connection: that one ends.
  await api('logout').catch(() => {});
  return again();
}

function listen(address) {
  const socket = new WebSocket(address);
  socket.onopen = () => {
    failures = 0;
    say('');
    if (!shown) waitingRoom();
  };
  socket.onmessage = ({ data }) => {
    const what = told(data, values.participantUuid);
    if (what?.show) show(what.show);
    else if (what?.over) waitingRoom('opentera.over');
  };
  socket.onclose = ({ code }) => {
    if (code === LOGGED_OUT) return page('participant_endpoint');
    return again();
  };
}

async function again() {
  say('opentera.reconnecting');
  await pause(pauseAfter(failures++));
  await logIn();
}

/** Shows a session. The same invitation comes again whenever somebody else is invited. */
async function show(url) {
  if (url === shown) return;
  shown = url;
  for (let polls = 0; polls < POLLS; polls += 1) {
    try {
      if ((await fetch(url, { cache: 'no-store' })).status === 200) break;
    } catch {
      // Of another origin, or not up yet.
    }
    await pause(POLL_PAUSE);
    if (shown !== url) return;
  }
  frame.src = sessionAddress(url, values);
}

logIn();
