/** The client library against a socket of the test's own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Videre } from '../../web/videre.js';

/** A server's end of every socket opened. */
class Sockets {
  open = [];
  refuse = false;
  WebSocket = (() => {
    const sockets = this;
    return class {
      readyState = 0;
      sent = [];
      constructor(url) {
        this.url = url;
        sockets.open.push(this);
        queueMicrotask(() => {
          if (sockets.refuse) return this.lose(1006);
          this.readyState = 1;
          this.onopen();
        });
      }
      send(text) {
        const packet = JSON.parse(text);
        this.sent.push(packet);
        const { Event } = packet.Header;
        if (Event === 'connect') this.say('connect', packet.Header.UserId, 'true');
        if (Event === 'ping') this.say('ping', packet.Header.UserId, '["me","you"]');
      }
      say(Event, UserId, Payload, more = {}) {
        this.onmessage({ data: JSON.stringify({ Header: { Event, UserId, RoomId: 'main', ...more }, Payload }) });
      }
      close() {
        this.readyState = 3;
      }
      lose(code, reason = '') {
        this.readyState = 3;
        this.onclose({ code, reason });
      }
    };
  })();
}

const EVENTS = ['joined', 'members', 'peer-joined', 'peer-left', 'message', 'refused', 'reconnecting', 'closed'];

async function connected(options = {}) {
  const sockets = new Sockets();
  const link = new Videre({ url: 'ws://x', userId: 'me', WebSocket: sockets.WebSocket, random: () => 0, ...options });
  const heard = [];
  for (const type of EVENTS) link.addEventListener(type, ({ detail }) => heard.push([type, detail]));
  const next = (type) => new Promise((done) => link.addEventListener(type, ({ detail }) => done(detail), { once: true }));
  const joined = next('members');
  link.connect();
  await joined;
  return { sockets, link, heard, next };
}

test('joins, learns who is there, and hears the others only', async () => {
  const { sockets, link, heard } = await connected();
  const [socket] = sockets.open;
  assert.deepEqual(heard, [['joined', { initiator: true }], ['members', { userIds: ['me', 'you'] }]]);
  heard.length = 0;
  socket.say('connect', 'you', 'false');
  socket.say('broadcast', 'you', { a: 1 });
  socket.say('broadcast', 'me', { own: 1 });
  socket.say('disconnect', 'you', '');
  socket.say('disconnect', 'eve', '', { Reason: 'removed' });
  socket.say('error', 'me', 'why');
  socket.say('unknown', 'you', '');
  assert.deepEqual(heard, [
    ['peer-joined', { userId: 'you' }],
    ['message', { from: 'you', payload: { a: 1 } }],
    ['peer-left', { userId: 'you', removed: false }],
    ['peer-left', { userId: 'eve', removed: true }],
    ['refused', { reason: 'why' }],
  ]);
  assert.equal(link.send({ b: 2 }), true);
  assert.deepEqual(socket.sent.at(-1), { Header: { Event: 'broadcast', UserId: 'me', RoomId: 'main' }, Payload: { b: 2 } });
  link.close();
  assert.equal(socket.sent.at(-1).Header.Event, 'disconnect');
  assert.deepEqual(heard.at(-1), ['closed', { code: 1000, reason: 'left' }]);
  assert.equal(link.send({}), false);
});

test('comes back by itself after a loss', async () => {
  const { sockets, link, heard, next } = await connected();
  const back = next('joined');
  sockets.open[0].lose(1006);
  assert.equal(link.joined, false);
  assert.equal(link.send({}), false, 'nothing is sent late');
  assert.deepEqual(heard.at(-1), ['reconnecting', { attempt: 1, delay: 150 }]);
  await back;
  assert.equal(sockets.open.length, 2);
  link.close();
});

for (const code of [4001, 4002, 4003]) {
  test(`${code} is the end`, async () => {
    const { sockets, heard } = await connected();
    sockets.open[0].lose(code, 'over');
    assert.deepEqual(heard.at(-1), ['closed', { code, reason: 'over' }]);
    assert.equal(sockets.open.length, 1);
  });
}

test('delays grow, and a session that is over is not waited for', async () => {
  let over = false;
  const { sockets, heard, next, link } = await connected({ isOver: async () => over });
  heard.length = 0;
  sockets.refuse = true;
  const closed = next('closed');
  link.addEventListener('reconnecting', ({ detail }) => (over = detail.attempt === 4));
  sockets.open[0].lose(1012);
  assert.equal((await closed).code, 4001);
  const delays = heard.filter(([type]) => type === 'reconnecting').map(([, { delay }]) => delay);
  assert.deepEqual(delays, [150, 300, 600, 1200]);
  assert.equal(sockets.open.length, 4);
});
