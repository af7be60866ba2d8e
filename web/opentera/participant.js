/** The participant's dashboard: logged in with the server, it shows the waiting room or the session. */
import { t } from '../i18n.js';
import { pageUp } from './poll.js';
import { answered, closed, pageAddress, pauseAfter, sessionAddress, told } from './rules.js';
import { backend, values } from './values.js';

const frame = document.getElementById('frame');
const status = document.getElementById('status');

/** How long the server may take to answer, in milliseconds: as long as the service gives it. */
const ANSWER_TIME = 10_000;

let failures = 0;
/** The invitation that is shown, or about to be; null on a page of our own. */
let invitation = null;

document.getElementById('name').textContent = values.participantName ?? '';

const pause = (time) => new Promise((done) => setTimeout(done, time));
const say = (key) => (status.textContent = key ? t(key) : '');
const request = (url, options) => fetch(url, { cache: 'no-store', signal: AbortSignal.timeout(ANSWER_TIME), ...options });
const api = (path) => request(`${backend}/api/participant/${path}`, { headers: { Authorization: `OpenTera ${values.token}` } });

function open(address) {
  frame.src = address;
  frame.hidden = false;
}

function page(name, more) {
  invitation = null;
  open(pageAddress(name, { token: values.token, ...more }));
}

function waitingRoom(message) {
  page('participant_localview', { source: values.source ?? '', ...(message && { message: t(message) }) });
}

async function logIn() {
  try {
    const answer = await api('login');
    const { listen: address, logOut, error } = answered(answer.status, await answer.text());
    if (address) return listen(address);
    if (error) return refused(error);
    if (logOut) return logInAnew();
  } catch {
    // The network is away, or the server: not the participant's fault.
  }
  return again();
}

/** Whoever is online already is logged out there; the connection of that page ends. */
async function logInAnew() {
  await api('logout').catch(() => {});
  return again('state.connecting');
}

function refused(error) {
  say('');
  page('participant_error', { error });
}

function listen(address) {
  const socket = new WebSocket(address);
  socket.onopen = () => {
    failures = 0;
    say('');
    if (!invitation) waitingRoom();
  };
  socket.onmessage = ({ data }) => {
    const what = told(data, values.participantUuid);
    if (what?.show) show(what.show);
    else if (what?.over) waitingRoom('opentera.over');
  };
  socket.onclose = ({ code }) => (closed(code).bye ? page('participant_endpoint') : again());
}

async function again(words = 'opentera.reconnecting') {
  say(words);
  await pause(pauseAfter(failures++));
  await logIn();
}

/** Shows a session. The same invitation comes again whenever somebody else is invited. */
async function show(url) {
  if (url === invitation?.url) return;
  const mine = { url };
  invitation = mine;
  const wanted = () => invitation === mine;
  if (await pageUp({ get: () => request(url), pause, wanted })) open(sessionAddress(url, values));
}

say('state.connecting');
logIn();
