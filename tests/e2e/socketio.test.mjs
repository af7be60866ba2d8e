/** The unmodified socket.io-client, of both protocols, each way of connecting in turn. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';

import io2 from 'socket.io-client-2';
import { io as io4 } from 'socket.io-client-4';

const ROOT = new URL('../../', import.meta.url).pathname;
/** Built by `cargo test`, as every example is. */
const SERVICE = process.env.VIDEREHAB_SOCKETIO_SERVICE ?? `${ROOT}target/debug/examples/socketio_service`;
const PATIENCE = 20_000;
const MANY = 3000;

const CLIENTS = { 'Socket.IO 2': io2, 'Socket.IO 4': io4 };
const WAYS = {
  'polling only': { transports: ['polling'] },
  'WebSocket only': { transports: ['websocket'] },
  'upgrade': { transports: ['polling', 'websocket'] },
};

let service;
let lines;
let url;
before(async () => {
  service = spawn(SERVICE, { stdio: ['pipe', 'pipe', 'inherit'] });
  lines = createInterface({ input: service.stdout })[Symbol.asyncIterator]();
  url = `http://${(await lines.next()).value.split(' ').pop()}`;
});
after(async () => {
  service.stdin.end();
  await once(service, 'exit');
});

/** How many connections the transport knows, and how many applications it holds. */
async function connections() {
  service.stdin.write('open\n');
  return (await lines.next()).value.split(' ').slice(1).map(Number);
}

const late = (what) => new Promise((_, fail) => setTimeout(() => fail(new Error(`too late: ${what}`)), PATIENCE).unref());
const soon = (socket, event) => Promise.race([new Promise((done) => socket.once(event, done)), late(event)]);
const ask = (socket, event, argument) =>
  Promise.race([new Promise((done) => socket.emit(event, argument, done)), late(event)]);
const engine = (socket) => socket.io.engine;

const connect = (io, options) =>
  io(url, { path: '/websocket/8080/', forceNew: true, reconnectionDelay: 100, reconnectionDelayMax: 100, ...options });

for (const [name, io] of Object.entries(CLIENTS)) {
  for (const [way, options] of Object.entries(WAYS)) {
    test(`${name}, ${way}: acknowledgements, order, large messages`, async () => {
      const socket = connect(io, options);
      try {
        await soon(socket, 'connect');
        const last = way === 'polling only' ? 'polling' : 'websocket';
        // An upgrade may be over before the namespace is open.
        if (engine(socket).transport.name !== last) await soon(engine(socket), 'upgrade');
        assert.equal(engine(socket).transport.name, last);

        const strange = { text: 'héllo 😀 \u2028\u0000"\\', list: [1.5, null, true], nested: { a: {} } };
        assert.deepEqual(await ask(socket, 'echo', strange), strange);

        const heard = [];
        socket.on('echo', (number) => heard.push(number));
        const all = Array.from({ length: MANY }, (_, number) => number);
        await Promise.race([Promise.all(all.map((number) => ask(socket, 'echo', number))), late('all')]);
        assert.deepEqual(heard, all);

        const large = 'x€'.repeat(225_000);
        assert.equal(await ask(socket, 'echo', large), large);

        heard.length = 0;
        await ask(socket, 'burst', MANY);
        assert.deepEqual(heard.slice(-MANY), all);
      } finally {
        socket.close();
      }
    });

    test(`${name}, ${way}: ended for good it stays away, ended for now it comes back`, async () => {
      const socket = connect(io, options);
      try {
        await soon(socket, 'connect');
        const first = engine(socket).id;
        const lost = soon(socket, 'disconnect');
        socket.emit('end', false);
        assert.match(await lost, /transport (close|error)/);
        await soon(socket, 'connect');
        assert.notEqual(engine(socket).id, first);
        assert.equal(await ask(socket, 'echo', 'back'), 'back');

        const ended = soon(socket, 'disconnect');
        socket.emit('end', true);
        assert.equal(await ended, 'io server disconnect');
        socket.once('connect', () => assert.fail('it came back'));
        await new Promise((done) => setTimeout(done, 500));
        assert.equal(socket.connected, false);
      } finally {
        socket.close();
      }
    });
  }

  test(`${name}: messages while it goes over to WebSocket are neither lost nor doubled nor reordered`, async () => {
    for (let round = 0; round < 10; round += 1) {
      const socket = connect(io, WAYS.upgrade);
      try {
        const heard = [];
        socket.on('echo', (number) => heard.push(number));
        await soon(socket, 'connect');
        const answers = [];
        let sent = 0;
        const isOver = () => engine(socket).transport.name === 'websocket';
        for (let more = 200; more > 0 && sent < MANY; more -= isOver() ? 1 : 0) {
          answers.push(ask(socket, 'echo', sent));
          sent += 1;
          if (sent % 20 === 0) await new Promise((turn) => setTimeout(turn, 1));
        }
        assert.ok(isOver());
        assert.deepEqual(await Promise.all(answers), Array.from({ length: sent }, (_, number) => number));
        assert.deepEqual(heard, Array.from({ length: sent }, (_, number) => number));
      } finally {
        socket.close();
      }
    }
  });
}

test('Socket.IO 4: the key in the auth payload decides', async () => {
  const refused = connect(io4, { auth: { key: 'wrong' } });
  const error = await soon(refused, 'connect_error');
  assert.equal(error.message, 'not with this key');
  refused.close();
  const accepted = connect(io4, { auth: { key: 'right' } });
  await soon(accepted, 'connect');
  accepted.close();
});

test('nothing of those that have left is kept', async () => {
  const end = Date.now() + PATIENCE;
  let open;
  do {
    await new Promise((done) => setTimeout(done, 100));
    open = await connections();
  } while (open.some((count) => count > 0) && Date.now() < end);
  assert.deepEqual(open, [0, 0]);
});
