/** The unmodified sockjs-client, in Node and in Chromium, each transport forced in turn. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';

import SockJS from 'sockjs-client';

import { launch, visitor } from './support/browser.mjs';
import { Server } from './support/server.mjs';

const LIBRARY = new URL('node_modules/sockjs-client/dist/sockjs.min.js', import.meta.url);
const PATIENCE = 15_000;

let server;
let site;
let browser;
before(async () => {
  // A page of another site, which the server is told to let in.
  site = createServer((request, response) => {
    const script = request.url === '/sockjs.js';
    response.setHeader('Content-Type', script ? 'text/javascript' : 'text/html');
    response.end(script ? readFileSync(LIBRARY) : '<!doctype html><script src="/sockjs.js"></script>');
  }).listen(0, '127.0.0.1');
  await once(site, 'listening');
  const origin = `http://127.0.0.1:${site.address().port}`;
  server = await Server.start({ VIDEREHAB_SERVER__ALLOWED_ORIGINS: JSON.stringify([origin]) });
  browser = await launch();
});
after(async () => {
  await browser.close();
  await server.stop();
  site.close();
});

/**
 * Two clients in one room: join, tell each other much and little, ask who is there, leave. Runs in
 * Node and, as text, in a page; gives what was heard.
 */
async function conversation(SockJS, url, transport, roomId, patience) {
  const late = new Promise((_, fail) => setTimeout(() => fail(new Error(`${transport}: too late`)), patience));
  const client = (name) => {
    const socket = new SockJS(url, null, { transports: [transport], timeout: 5000 });
    const heard = [];
    const waiting = [];
    socket.onmessage = ({ data }) => {
      heard.push(JSON.parse(data));
      waiting.splice(0).forEach((look) => look());
    };
    const until = async (fits) => {
      while (!heard.some(fits)) await new Promise((look) => waiting.push(look));
      return heard.find(fits);
    };
    const say = (Event, Payload) => socket.send(JSON.stringify({ Header: { Event, UserId: name, RoomId: roomId }, Payload }));
    const open = new Promise((done, fail) => {
      socket.onopen = done;
      socket.onclose = ({ code, reason }) => fail(new Error(`${transport}: closed ${code} ${reason}`));
    });
    return { socket, heard, until, say, open, is: (event) => ({ Header }) => Header.Event === event };
  };
  const run = async () => {
    const one = client('one');
    await one.open;
    one.say('connect', '{}');
    await one.until(one.is('connect'));
    const two = client('two');
    await two.open;
    two.say('connect', '{}');
    await one.until(({ Header }) => Header.UserId === 'two');
    const long = 'é\u2028"'.repeat(10_000);
    for (let number = 0; number < 20; number += 1) one.say('broadcast', { number });
    one.say('broadcast', { long });
    await two.until(({ Payload }) => Payload.long === long);
    two.say('ping', '{}');
    const members = await two.until(two.is('ping'));
    const transports = [one.socket.transport, two.socket.transport];
    const numbers = two.heard.filter(two.is('broadcast')).map(({ Payload }) => Payload.number);
    two.socket.close();
    // A JSONP client cannot take back its waiting script: the server learns of its end at the next heartbeat.
    const left = transport === 'jsonp-polling' ? 'two' : (await one.until(one.is('disconnect'))).Header.UserId;
    one.socket.close();
    return { transports, numbers, members: members.Payload, left, room: members.Header.RoomId };
  };
  return Promise.race([run(), late]);
}

function check(heard, transport) {
  assert.deepEqual(heard.transports, [transport, transport]);
  assert.deepEqual(heard.numbers.slice(0, 20), Array.from({ length: 20 }, (_, number) => number));
  assert.equal(heard.members, '["one","two"]');
  assert.equal(heard.left, 'two');
  assert.equal(heard.room, 'main');
}

const address = (session, uuid) => `http://127.0.0.1:${session.port}/echo?key=${session.keyOf(uuid)}`;

for (const transport of ['websocket', 'xhr-streaming', 'xhr-polling']) {
  test(`sockjs-client in Node: ${transport}`, { timeout: 30_000 }, async () => {
    const session = await server.session('bob');
    check(await conversation(SockJS, address(session, 'bob'), transport, 'main', PATIENCE), transport);
  });

  test(`sockjs-client in Node without a key: ${transport}`, { timeout: 30_000 }, async () => {
    const session = await server.session('bob');
    const heard = await conversation(SockJS, `http://127.0.0.1:${session.port}/echo`, transport, session.key, PATIENCE);
    check(heard, transport);
  });

  test(`a removed key ends the connection: ${transport}`, { timeout: 30_000 }, async () => {
    const session = await server.session('bob');
    const socket = new SockJS(address(session, 'bob'), null, { transports: [transport] });
    await new Promise((open) => (socket.onopen = open));
    const closed = new Promise((done) => (socket.onclose = done));
    const since = Date.now();
    await server.manage('remove', { id_session: session.id, session_participants: ['bob'] });
    const { code, reason } = await closed;
    assert.deepEqual([code, reason], [4002, 'removed']);
    assert.ok(Date.now() - since < 500);
  });
}

for (const transport of ['websocket', 'xhr-streaming', 'eventsource', 'xhr-polling', 'jsonp-polling']) {
  test(`sockjs-client in Chromium: ${transport}`, { timeout: 60_000 }, async () => {
    const session = await server.session('bob');
    const page = await visitor(browser);
    await page.goto(`http://127.0.0.1:${site.address().port}/`);
    const heard = await page.evaluate(
      ([source, ...values]) => new Function(`return ${source}`)()(window.SockJS, ...values),
      [conversation.toString(), address(session, 'bob'), transport, 'main', PATIENCE],
    );
    check(heard, transport);
    await page.context().close();
  });
}
