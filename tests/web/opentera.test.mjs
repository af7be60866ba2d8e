/** What the participant's dashboard makes of what the server says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { pageAddress, pauseAfter, sessionAddress, told } from '../../web/opentera/rules.js';

const ME = 'bbbbbbbb-0000-4000-8000-000000000001';
const TYPE = 'type.googleapis.com/opentera.protobuf.';
const message = (...events) => JSON.stringify({
  message: { '@type': `${TYPE}TeraEvent`, header: {}, events: events.map(({ type, ...rest }) => ({ '@type': TYPE + type, ...rest })) },
});

test('an invitation is shown', () => {
  assert.deepEqual(told(message({ type: 'JoinSessionEvent', sessionUrl: 'https://h/p?key=k' }), ME), { show: 'https://h/p?key=k' });
  assert.equal(told(message({ type: 'JoinSessionEvent' }), ME), null);
});

test('the session is over when it stops, or when one is put out oneself', () => {
  assert.deepEqual(told(message({ type: 'StopSessionEvent', sessionUuid: 's' }), ME), { over: true });
  assert.deepEqual(told(message({ type: 'LeaveSessionEvent', leavingParticipants: ['x', ME] }), ME), { over: true });
  assert.equal(told(message({ type: 'LeaveSessionEvent', leavingParticipants: ['x'] }), ME), null);
  assert.equal(told(message({ type: 'LeaveSessionEvent', leavingUsers: [ME] }), ME), null);
});

test('only the first event of a message counts', () => {
  const both = message({ type: 'UserEvent' }, { type: 'StopSessionEvent' });
  assert.equal(told(both, ME), null);
});

test('junk is nothing', () => {
  for (const junk of ['', '{', 'null', '5', '[]', '{}', '{"message":{"events":{}}}', '{"message":{"events":[null]}}']) {
    assert.equal(told(junk, ME), null, junk);
  }
});

test('addresses carry names as they are', () => {
  const address = sessionAddress('https://h/webrtc/1/participants?key=k', { participantName: 'Zoé & Léo', participantUuid: ME, source: '' });
  assert.equal(new URL(address).searchParams.get('name'), 'Zoé & Léo');
  assert.equal(new URL(address).searchParams.get('key'), 'k');
  assert.equal(pageAddress('participant_error', { token: 'a.b', error: 'no & no' }), './participant_error?token=a.b&error=no+%26+no');
});

test('tries to log in grow apart', () => {
  assert.equal(pauseAfter(0), 2000);
  assert.equal(pauseAfter(100), 30_000);
});
