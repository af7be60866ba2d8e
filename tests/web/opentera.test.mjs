/** What the participant's dashboard and the lobby make of what the server says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { pageUp } from '../../web/opentera/poll.js';
import { answered, closed, pageAddress, pauseAfter, sessionAddress, started, told } from '../../web/opentera/rules.js';

const ME = 'bbbbbbbb-0000-4000-8000-000000000001';
const TYPE = 'type.googleapis.com/opentera.protobuf.';
const message = (...events) => JSON.stringify({
  message: { '@type': `${TYPE}TeraEvent`, header: {}, events: events.map(({ type, ...rest }) => ({ '@type': TYPE + type, ...rest })) },
});

const LOGIN = JSON.stringify({ websocket_url: 'wss://h/wss/participant?id=1', participant_uuid: ME });

test('a login leads to the websocket; of who is online already, to a logout first', () => {
  assert.deepEqual(answered(200, LOGIN), { listen: 'wss://h/wss/participant?id=1' });
  assert.deepEqual(answered(200, JSON.stringify({ participant_uuid: ME })), { logOut: true });
  assert.deepEqual(answered(200, '{"websocket_url":""}'), { logOut: true });
});

test('a server that cannot answer now is asked again', () => {
  for (const [status, text] of [[500, ''], [502, '<html>'], [429, '"Too many"'], [200, ''], [200, '<html>'], [200, 'null']]) {
    assert.deepEqual(answered(status, text), { again: true }, `${status} ${text}`);
  }
});

test('a login that is refused is told in the server’s words, or by its number', () => {
  assert.deepEqual(answered(401, '"Unauthorized"\n'), { error: 'Unauthorized' });
  assert.deepEqual(answered(403, '{"message":"No access"}'), { error: 'No access' });
  for (const junk of ['', '""', 'null', '7', '{"message":5}', '<html><h1>Forbidden</h1></html>']) {
    assert.deepEqual(answered(403, junk), { error: '403' }, junk);
  }
});

test('a websocket that closes is opened again, but not after a logout', () => {
  assert.deepEqual(closed(4000), { bye: true });
  for (const code of [1000, 1001, 1005, 1006, 1011, 4001]) assert.deepEqual(closed(code), { again: true });
});

test('an invitation is shown', () => {
  assert.deepEqual(told(message({ type: 'JoinSessionEvent', sessionUrl: 'https://h/p?key=k' }), ME), { show: 'https://h/p?key=k' });
  assert.equal(told(message({ type: 'JoinSessionEvent' }), ME), null);
  assert.equal(told(message({ type: 'JoinSessionEvent', session_url: 'https://h/p?key=k' }), ME), null, 'names are in camelCase');
});

test('the session is over when it stops, or when one is put out oneself', () => {
  assert.deepEqual(told(message({ type: 'StopSessionEvent', sessionUuid: 's' }), ME), { over: true });
  assert.deepEqual(told(message({ type: 'LeaveSessionEvent', leavingParticipants: ['x', ME] }), ME), { over: true });
  assert.equal(told(message({ type: 'LeaveSessionEvent', leavingParticipants: ['x'] }), ME), null);
  assert.equal(told(message({ type: 'LeaveSessionEvent', leavingUsers: [ME] }), ME), null);
});

test('other events are nothing', () => {
  for (const type of ['UserEvent', 'ParticipantEvent', 'JoinSessionReplyEvent', 'LaterEvent', '']) {
    assert.equal(told(message({ type, sessionUrl: 'https://h/p?key=k', leavingParticipants: [ME] }), ME), null, type);
  }
});

test('only the first event of a message counts', () => {
  const invited = { type: 'JoinSessionEvent', sessionUrl: 'https://h/p?key=k' };
  assert.deepEqual(told(message(invited, { type: 'StopSessionEvent' }), ME), { show: 'https://h/p?key=k' });
  const both = message({ type: 'UserEvent' }, { type: 'StopSessionEvent' });
  assert.equal(told(both, ME), null);
});

test('junk is nothing', () => {
  for (const junk of ['', '{', 'null', '5', '[]', '{}', '{"message":{"events":{}}}', '{"message":{"events":[null]}}']) {
    assert.equal(told(junk, ME), null, junk);
  }
});

/** Polls a page that answers with these statuses, 0 for none at all; the last one goes on. */
async function polled(statuses, wanted = () => true) {
  const seen = { gets: 0, pauses: [] };
  const get = async () => {
    const status = statuses[Math.min(seen.gets++, statuses.length - 1)];
    if (status === 0) throw new TypeError('Failed to fetch');
    return { status };
  };
  const up = await pageUp({ get, pause: async (time) => void seen.pauses.push(time), wanted: () => wanted(seen) });
  return { up, gets: seen.gets, pauses: seen.pauses };
}

test('a session’s page is asked for until it is up', async () => {
  assert.deepEqual(await polled([200]), { up: true, gets: 1, pauses: [] });
  assert.deepEqual(await polled([0, 403, 200]), { up: true, gets: 3, pauses: [250, 250] });
});

test('a page that never comes up is shown after twelve tries', async () => {
  const { up, gets, pauses } = await polled([502]);
  assert.deepEqual([up, gets, pauses.length], [true, 12, 11]);
});

test('a session that ends while its page is waited for is not shown', async () => {
  assert.deepEqual(await polled([200], () => false), { up: false, gets: 1, pauses: [] });
  assert.deepEqual(await polled([403], ({ pauses }) => pauses.length < 2), { up: false, gets: 2, pauses: [250, 250] });
});

test('addresses carry names as they are', () => {
  const address = sessionAddress('https://h/webrtc/1/participants?key=k', { participantName: 'Zoé & Léo', participantUuid: ME, source: '' });
  assert.equal(new URL(address).searchParams.get('name'), 'Zoé & Léo');
  assert.equal(new URL(address).searchParams.get('key'), 'k');
  assert.equal(pageAddress('participant_error', { token: 'a.b', error: 'no & no' }), './participant_error?token=a.b&error=no+%26+no');
});

test('a session that has started is opened under the user’s name, at their own address if there is one', () => {
  const reply = (session) => JSON.stringify({ status: 'started', session });
  const users = 'https://h/webrtc/1/users?key=k';
  assert.deepEqual(started(200, reply({ session_url_users: users }), {}), { url: users });
  assert.deepEqual(started(200, reply({ session_url_users: users }), { userName: 'Zoé & Léo' }), { url: `${users}&name=Zo%C3%A9+%26+L%C3%A9o` });
  const invitees = [{ uuid: 'x', url: 'https://h/x?key=x' }, { uuid: ME, url: 'https://h/me?key=m' }];
  assert.deepEqual(started(200, reply({ session_url_users: users, session_invitees: invitees }), { userUuid: ME }), { url: 'https://h/me?key=m' });
  for (const session of [undefined, null, {}]) assert.deepEqual(started(200, reply(session), { userName: 'Ann' }), { url: null });
});

test('a session that has not started says why', () => {
  assert.deepEqual(started(200, '{"status":"error","error_text":"Cannot create process"}', {}), { failed: 'Cannot create process' });
  assert.deepEqual(started(403, '"Forbidden"\n', {}), { failed: 'Forbidden' });
  assert.deepEqual(started(502, '<html>', {}), { failed: '502' });
  assert.deepEqual(started(500, '{"status":"started"}', {}), { failed: '500' });
});

test('tries to log in grow apart', () => {
  assert.equal(pauseAfter(0), 2000);
  assert.equal(pauseAfter(100), 30_000);
});
