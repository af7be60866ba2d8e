/** The client library against a socket of the test's own. */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';

import { ENDED, REFUSED, Videre, statusCheck } from '../../web/videre.js';

/** A server's end of every socket opened. */
class Sockets {
  open = [];
  /** Whether to lose each socket as it opens, as one without a server is. */
  refuse = false;
  /** Whether the server is there but says nothing. */
  mute = false;
  /** Whether seats are kept, and how many packets have come from ours. */
  keeps = false;
  received = 0;
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
          this.onopen?.();
        });
      }
      send(text) {
        const packet = JSON.parse(text);
        this.sent.push(packet);
        const { Event } = packet.Header;
        if (sockets.mute) return;
        if (Event === 'resume') return this.seat(packet.Payload);
        if (Event === 'ack') return;
        sockets.received += 1;
        if (Event === 'connect') this.say('connect', packet.Header.UserId, 'true');
        if (Event === 'ping') this.say('ping', packet.Header.UserId, '["me","you"]');
      }
      seat({ token }) {
        const resumed = sockets.keeps && token === 'token';
        if (!resumed) sockets.received = 0;
        const Payload = { token: 'token', resumed, received: sockets.received };
        this.onmessage({ data: JSON.stringify({ Header: { Event: 'resume' }, Payload }) });
      }
      say(Event, UserId, Payload, more = {}) {
        this.onmessage({ data: JSON.stringify({ Header: { Event, UserId, RoomId: 'main', ...more }, Payload }) });
      }
      close(code) {
        this.closedWith = code;
        this.readyState = 3;
      }
      lose(code, reason = '') {
        this.readyState = 3;
        this.onclose({ code, reason });
      }
    };
  })();
}

const EVENTS = ['joined', 'resumed', 'members', 'peer-joined', 'peer-left', 'message', 'error', 'reconnecting', 'closed'];

async function connected(options = {}) {
  const sockets = new Sockets();
  const link = new Videre({ url: 'ws://x', userId: 'me', WebSocket: sockets.WebSocket, random: () => 0.5, ...options });
  const heard = [];
  for (const type of EVENTS) link.addEventListener(type, ({ detail }) => heard.push([type, detail]));
  const next = (type) => new Promise((done) => link.addEventListener(type, ({ detail }) => done(detail), { once: true }));
  const end = () => new Promise((done) => link.addEventListener('closed', ({ detail }) => detail.final && done(detail)));
  const joined = next('members');
  link.connect();
  await joined;
  return { sockets, link, heard, next, end };
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
  socket.say('disconnect', 'me', '');
  socket.say('error', 'me', 'why');
  socket.say('unknown', 'you', '');
  for (const data of ['', 'null', '[]', '{"Header":7}', '{}']) socket.onmessage({ data });
  assert.deepEqual(heard, [
    ['peer-joined', { userId: 'you' }],
    ['message', { from: 'you', payload: { a: 1 } }],
    ['peer-left', { userId: 'you', removed: false }],
    ['peer-left', { userId: 'eve', removed: true }],
    ['error', { reason: 'why' }],
  ]);
  assert.equal(link.send({ b: 2 }), true);
  assert.deepEqual(socket.sent.at(-1), { Header: { Event: 'broadcast', UserId: 'me', RoomId: 'main' }, Payload: { b: 2 } });
  link.ask();
  assert.deepEqual(heard.at(-1), ['members', { userIds: ['me', 'you'] }]);
  link.close();
  assert.equal(socket.sent.at(-1).Header.Event, 'disconnect');
  assert.deepEqual(heard.at(-1), ['closed', { code: 1000, reason: 'left', final: true }]);
  assert.equal(link.send({}), false);
});

test('comes back by itself after a loss, under the same id', async () => {
  const { sockets, link, heard, next } = await connected();
  const back = next('joined');
  heard.length = 0;
  sockets.open[0].lose(1006, 'gone');
  assert.equal(link.joined, false);
  assert.deepEqual(heard, [
    ['closed', { code: 1006, reason: 'gone', final: false }],
    ['reconnecting', { attempt: 1, delay: 150 }],
  ]);
  await back;
  assert.equal(sockets.open.length, 2);
  assert.equal(sockets.open[1].sent[1].Header.UserId, 'me');
  link.close();
});

test('comes back to its seat: what may not have arrived is said again, nobody is told anew', async () => {
  const { sockets, link, heard, next } = await connected();
  const [first] = sockets.open;
  sockets.keeps = true;
  first.say('broadcast', 'you', 1);
  link.send('arrives');
  // The last two are said to a connection that is dead already.
  sockets.mute = true;
  link.send('lost');
  sockets.mute = false;
  const back = next('members');
  heard.length = 0;
  first.lose(1006);
  assert.equal(link.send('meanwhile'), true);
  await back;
  const [, second] = sockets.open;
  const [resume, ...rest] = second.sent;
  // Connect, its ping's answer, and the broadcast; our connect, ping and first message.
  assert.deepEqual(resume, { Header: { Event: 'resume' }, Payload: { token: 'token', received: 3 } });
  assert.deepEqual(rest.map(({ Header, Payload }) => [Header.Event, Payload]), [
    ['broadcast', 'lost'], ['broadcast', 'meanwhile'], ['ping', '{}'],
  ]);
  assert.deepEqual(heard.map(([type]) => type), ['closed', 'reconnecting', 'resumed', 'members']);
  assert.equal(link.joined, true);
  link.close();
  assert.equal(second.closedWith, 1000);
});

test('too late for its seat, it joins anew and says nothing late', async () => {
  const { sockets, link, next } = await connected();
  const back = next('members');
  sockets.open[0].lose(1006);
  link.send('late');
  await back;
  assert.deepEqual(sockets.open[1].sent.map(({ Header }) => Header.Event), ['resume', 'connect', 'ping']);
  link.close();
});

test('tells what has arrived, and forgets what the server has', async (context) => {
  context.mock.timers.enable({ apis: ['setInterval', 'setTimeout', 'Date'], now: 1 });
  const { sockets, link } = await connected();
  const [socket] = sockets.open;
  context.mock.timers.tick(1000);
  assert.deepEqual(socket.sent.at(-1), { Header: { Event: 'ack' }, Payload: 2 });
  socket.onmessage({ data: '{"Header":{"Event":"ack"},"Payload":2}' });
  const before = socket.sent.length;
  context.mock.timers.tick(3000);
  assert.equal(socket.sent.length, before, 'nothing new, nothing to tell');
  for (let number = 0; number < 64; number += 1) socket.say('broadcast', 'you', number);
  assert.deepEqual(socket.sent.at(-1), { Header: { Event: 'ack' }, Payload: 66 });
  link.close();
});

for (const code of [4001, 4002, 4003, 4006]) {
  test(`${code} is the end`, async () => {
    const { sockets, heard } = await connected();
    sockets.open[0].lose(code, 'over');
    assert.deepEqual(heard.at(-1), ['closed', { code, reason: 'over', final: true }]);
    assert.equal(sockets.open.length, 1);
  });
}

test('delays grow, and a session that is over is not waited for', async () => {
  let over = false;
  const { sockets, heard, end, link } = await connected({ isOver: async () => over });
  heard.length = 0;
  sockets.refuse = true;
  const closed = end();
  link.addEventListener('reconnecting', ({ detail }) => (over = detail.attempt === 4));
  sockets.open[0].lose(1012);
  assert.equal((await closed).code, ENDED);
  const delays = heard.filter(([type]) => type === 'reconnecting').map(([, { delay }]) => delay);
  assert.deepEqual(delays, [150, 300, 600, 1200]);
});

test('a delay is anywhere below its bound, and never above ten seconds', async () => {
  for (const [chance, delays] of [[0, [0, 0, 0, 0, 0, 0, 0]], [1, [300, 600, 1200, 2400, 4800, 9600, 10000]]]) {
    mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_000_000 });
    const { sockets, heard, link } = await connected({ random: () => chance });
    sockets.refuse = true;
    sockets.open[0].lose(1006);
    for (let attempt = 1; attempt < delays.length; attempt += 1) {
      mock.timers.tick(delays[attempt - 1] + 1);
      for (let turn = 0; turn < 5; turn += 1) await null;
    }
    assert.deepEqual(heard.filter(([type]) => type === 'reconnecting').map(([, { delay }]) => delay), delays);
    link.close();
    mock.timers.reset();
  }
});

test('isOver is asked from the second try on; what it does not know is no end; a code of its own is one', async () => {
  const answers = [Promise.reject(new Error('unreachable')), false, REFUSED];
  answers[0].catch(() => {});
  const { sockets, end } = await connected({ random: () => 0, isOver: async () => answers.shift() });
  sockets.refuse = true;
  const closed = end();
  sockets.open[0].lose(1006);
  assert.equal((await closed).code, REFUSED);
  assert.equal(sockets.open.length, 4, 'the first, a retry unasked, and two more');
});

test('close ends the waiting too', async () => {
  const { sockets, link, heard } = await connected();
  sockets.open[0].lose(1006);
  link.close();
  assert.equal(heard.at(-1)[1].final, true);
  await new Promise((later) => setTimeout(later, 200));
  assert.equal(sockets.open.length, 1);
});

test('an online network is tried at once', async () => {
  const page = new EventTarget();
  for (const method of ['addEventListener', 'removeEventListener']) globalThis[method] = page[method].bind(page);
  try {
    const { sockets, link, next } = await connected({ random: () => 1 });
    const back = next('joined');
    sockets.open[0].lose(1006);
    const since = Date.now();
    page.dispatchEvent(new Event('online'));
    await back;
    assert.ok(Date.now() - since < 250);
    page.dispatchEvent(new Event('online'));
    assert.equal(sockets.open.length, 2);
    assert.equal(sockets.open[1].sent.at(-1).Header.Event, 'ping', 'a connection that seems whole is asked');
    link.close();
    page.dispatchEvent(new Event('online'));
    assert.equal(sockets.open.length, 2);
  } finally {
    delete globalThis.addEventListener;
    delete globalThis.removeEventListener;
  }
});

test('a connection without a sign of life is given up, one that answers is kept', async () => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_000_000 });
  const pass = async (seconds) => {
    for (let second = 0; second < seconds; second += 1) {
      mock.timers.tick(1000);
      for (let turn = 0; turn < 5; turn += 1) await null;
    }
  };
  try {
    const { sockets, link, heard } = await connected();
    await pass(60);
    assert.equal(link.joined, true);
    assert.equal(sockets.open.length, 1);
    sockets.mute = true;
    await pass(30);
    assert.equal(link.joined, false);
    assert.equal(heard.find(([type]) => type === 'closed')[1].reason, 'no sign of life');
    // The next ones open, but nobody answers their connect.
    await pass(30);
    assert.ok(sockets.open.length > 3);
    sockets.mute = false;
    await pass(20);
    assert.equal(link.joined, true);
    link.close();
  } finally {
    mock.timers.reset();
  }
});

test('a connection that never lasts is not tried faster and faster', async () => {
  const { sockets, link, heard, next } = await connected();
  for (let loss = 0; loss < 3; loss += 1) {
    const back = next('joined');
    sockets.open.at(-1).lose(1009);
    await back;
  }
  assert.deepEqual(heard.filter(([type]) => type === 'reconnecting').map(([, { delay }]) => delay), [150, 300, 600]);
  link.close();
});

test('the status of a session tells whether it is over', async () => {
  const { fetch } = globalThis;
  try {
    for (const [status, code] of [[200, false], [502, false], [403, REFUSED], [404, ENDED]]) {
      globalThis.fetch = async () => ({ status });
      assert.equal(await statusCheck('status?key=K')(), code);
    }
  } finally {
    globalThis.fetch = fetch;
  }
});
