/** Calls in a real browser with real media. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { PATIENCE, frames, join, launch, seesOthers, state, visitor } from './support/browser.mjs';
import { startNginx } from './support/nginx.mjs';
import { Server, freePort } from './support/server.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

/** Runs a test with a server of its own; shows the server's log if it fails. */
function withServer(name, run, settings) {
  test(name, { timeout: 120_000 }, async () => {
    const server = await Server.start(settings);
    try {
      await run(server);
    } catch (error) {
      console.error(server.log);
      throw error;
    } finally {
      await Promise.all(browser.contexts().map((context) => context.close()));
      await server.stop();
    }
  });
}

/** Opens everybody's page and waits until each sees and hears all others. */
async function call(session, names) {
  const pages = await Promise.all(names.map((name) => join(browser, session.url(name), name)));
  await Promise.all(pages.map((page) => seesOthers(page, names.length - 1)));
  await Promise.all(pages.map((page) => state(page, 'in-call')));
  return pages;
}

const picture = async (page, name) => {
  if (!process.env.SCREENSHOTS) return;
  mkdirSync(process.env.SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}.png` });
};

withServer('two people see each other through the front door', async (server) => {
  const session = await server.session('bob');
  assert.ok(session.url('bob').startsWith(`${server.url}/webrtc/${session.port}/participants?key=`));
  const [ann, bob] = await call(session, ['ann', 'bob']);
  assert.equal(await bob.textContent('.peer-name'), 'ann');
  await picture(ann, 'call');
  const tracks = await bob.$eval('.peer video', (video) => video.srcObject.getTracks().map((track) => track.kind).sort());
  assert.deepEqual(tracks, ['audio', 'video']);
  // Mute, camera off and on, as the other sees it.
  await ann.click('#mute');
  await bob.waitForSelector('.peer .muted:not([hidden])');
  await ann.click('#camera-toggle');
  await bob.waitForSelector('.peer.no-picture');
  await ann.click('#camera-toggle');
  await bob.waitForSelector('.peer:not(.no-picture)');
  await seesOthers(bob, 1);
  // Another device during the call: the fake ones are several microphones.
  await ann.click('#device-menu summary');
  const devices = await ann.$$eval('#microphone option', (options) => options.map((option) => option.value));
  assert.ok(devices.length > 1, 'there is a choice');
  await ann.selectOption('#microphone', devices.at(-1));
  await seesOthers(ann, 1);
  // Leaving tells the other at once; rejoining brings the call back.
  await ann.click('#leave');
  await state(ann, 'left');
  await bob.waitForFunction(() => document.querySelectorAll('.peer').length === 0);
  await ann.click('#rejoin');
  await Promise.all([seesOthers(ann, 1), seesOthers(bob, 1)]);
  assert.deepEqual([...ann.errors, ...bob.errors], []);
});

withServer('a page that was opened once opens again by its cookie', async (server) => {
  const session = await server.session('bob');
  const page = await join(browser, session.url('bob'), 'bob');
  await state(page, 'waiting');
  await page.goto(session.url('bob').split('?')[0]);
  await page.click('#join');
  await state(page, 'waiting');
});

withServer('a screen is shared and unshared', async (server) => {
  const session = await server.session('bob');
  const [ann, bob] = await call(session, ['ann', 'bob']);
  const width = () => bob.$eval('.peer video', (video) => video.videoWidth);
  // A canvas stands in for the screen: a headless browser has none to share.
  await ann.evaluate(() => {
    navigator.mediaDevices.getDisplayMedia = async () => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 1000, height: 400 });
      const context = canvas.getContext('2d');
      setInterval(() => context.fillRect(0, 0, Math.random() * 1000, 400), 50);
      return canvas.captureStream(20);
    };
  });
  const camera = await width();
  await ann.click('#share');
  await bob.waitForFunction(() => {
    const video = document.querySelector('.peer video');
    return video.videoWidth / video.videoHeight > 2.4;
  });
  await seesOthers(bob, 1);
  await ann.click('#share');
  await bob.waitForFunction(() => {
    const video = document.querySelector('.peer video');
    return video.videoWidth / video.videoHeight < 2;
  });
  assert.ok(camera > 0);
});

withServer('four people all see each other', async (server) => {
  const session = await server.session('bob', 'eve', 'joe');
  const pages = await call(session, ['ann', 'bob', 'eve', 'joe']);
  for (const page of pages) assert.equal(Object.keys(await frames(page)).length, 3);
});

withServer('a removed participant loses the call, the others go on', async (server) => {
  const session = await server.session('bob', 'eve');
  const [ann, bob, eve] = await call(session, ['ann', 'bob', 'eve']);
  const since = Date.now();
  await server.manage('remove', { id_session: session.id, session_participants: ['bob'] });
  await state(bob, 'removed');
  assert.equal(await bob.$$eval('.peer', (tiles) => tiles.length), 0);
  for (const page of [ann, eve]) await page.waitForFunction(() => document.querySelectorAll('.peer').length === 1);
  assert.ok(Date.now() - since < 3000, 'at once, not when a time-out is over');
  await Promise.all([seesOthers(ann, 1), seesOthers(eve, 1)]);
  const again = await visitor(browser);
  assert.equal((await again.goto(session.url('bob'))).status(), 403);
});

withServer('a killed and restarted server gets its callers back', async (server) => {
  const session = await server.session('bob');
  const [ann, bob] = await call(session, ['ann', 'bob']);
  const ids = await Promise.all([ann, bob].map((page) => page.getAttribute('.peer', 'data-peer')));
  await server.kill();
  await Promise.all([state(ann, 'reconnecting'), state(bob, 'reconnecting')]);
  await Promise.all([seesOthers(ann, 1), seesOthers(bob, 1)]); // media go on without the server
  await server.launch();
  await Promise.all([state(ann, 'in-call'), state(bob, 'in-call')]);
  await Promise.all([seesOthers(ann, 1), seesOthers(bob, 1)]);
  assert.deepEqual(await Promise.all([ann, bob].map((page) => page.getAttribute('.peer', 'data-peer'))), ids);
  const links = await server.manage('invite', { id_session: session.id });
  assert.deepEqual(links.session_invitees, session.invitees);
});

test('two people see each other through nginx', { timeout: 120_000 }, async () => {
  const port = await freePort();
  const server = await Server.start({ VIDEREHAB_SERVER__PUBLIC_URL: `http://127.0.0.1:${port}` });
  const nginx = await startNginx({ port, manager: new URL(server.url).port });
  try {
    const session = await server.session('bob');
    assert.ok(session.url('bob').startsWith(`http://127.0.0.1:${port}/webrtc/`));
    await call(session, ['ann', 'bob']);
    // nginx leads to the session's own port: with the front door's session gone, so is this one.
    const page = await visitor(browser);
    await server.manage('stop', { id_session: session.id });
    assert.equal((await page.goto(session.url('bob'))).status(), 502);
  } finally {
    await Promise.all(browser.contexts().map((context) => context.close()));
    await nginx.stop();
    await server.stop();
  }
});

withServer('the dashboard starts, shows, invites, removes and stops', async (server) => {
  const dashboard = await visitor(browser);
  await dashboard.goto(server.dashboard);
  assert.ok(!dashboard.url().includes('token'), 'the token does not stay in the address bar');
  await dashboard.fill('[name=users]', 'ann');
  await dashboard.fill('[name=participants]', 'bob, eve');
  await dashboard.click('#start');
  const link = (uuid) => dashboard.getAttribute(`.invitee[data-uuid=${uuid}] .copy-link`, 'data-url');
  const bob = await join(browser, await link('bob'), 'bob');
  await dashboard.waitForSelector('.invitee[data-uuid=bob] .online:not([hidden])');
  await dashboard.fill('.invite-form [name=uuid]', 'joe');
  await dashboard.click('.invite');
  const joe = await join(browser, await link('joe'), 'joe');
  await Promise.all([seesOthers(joe, 1), seesOthers(bob, 1)]);
  await picture(dashboard, 'dashboard');
  await dashboard.click('.invitee[data-uuid=joe] .remove');
  await state(joe, 'removed');
  await dashboard.click('.stop');
  await dashboard.click('.stop-yes');
  await state(bob, 'ended');
  await dashboard.waitForSelector('#empty:not([hidden])');
  await dashboard.click('#logout');
  await dashboard.waitForSelector('[name=token]');
  await dashboard.fill('[name=token]', 'wrong');
  await dashboard.click('button[type=submit]');
  await dashboard.waitForSelector('.error');
  await dashboard.fill('[name=token]', server.token);
  await dashboard.click('button[type=submit]');
  await dashboard.waitForSelector('#start-form');
  assert.deepEqual(dashboard.errors, []);
});

/** Waits until this many have come back to their seats, and their call is as it was. */
async function wentOn(server, pages, count) {
  const until = Date.now() + PATIENCE;
  while ((await server.resumed()) < count) {
    assert.ok(Date.now() < until, 'they come back to their seats');
    await new Promise((later) => setTimeout(later, 50));
  }
  await Promise.all(pages.map((page) => state(page, 'in-call')));
  await Promise.all(pages.map((page) => seesOthers(page, pages.length - 1)));
}

/** Notes in each page when the other's tile, and so the call with it, is made anew. */
const watch = (pages) => Promise.all(pages.map((page) => page.evaluate(() => {
  window.changes = 0;
  new MutationObserver(() => (window.changes += 1)).observe(document.querySelector('#peers'), { childList: true });
})));
const changes = (pages) => Promise.all(pages.map((page) => page.evaluate(() => window.changes)));

withServer('a call goes on through upgrades: nobody leaves, nobody comes', async (server) => {
  const pages = await call(await server.session('bob'), ['ann', 'bob']);
  await watch(pages);
  for (let round = 0; round < 2; round += 1) {
    await server.upgrade();
    await wentOn(server, pages, 2);
  }
  assert.deepEqual(await changes(pages), [0, 0]);
});

test('a call goes on when the proxy restarts', { timeout: 120_000 }, async () => {
  const port = await freePort();
  const server = await Server.start({ VIDEREHAB_SERVER__PUBLIC_URL: `http://127.0.0.1:${port}` });
  const proxy = () => startNginx({ port, manager: new URL(server.url).port });
  let nginx = await proxy();
  try {
    const pages = await call(await server.session('bob'), ['ann', 'bob']);
    await watch(pages);
    await nginx.stop();
    nginx = await proxy();
    await wentOn(server, pages, 2);
    assert.deepEqual(await changes(pages), [0, 0]);
  } finally {
    await Promise.all(browser.contexts().map((context) => context.close()));
    await nginx.stop();
    await server.stop();
  }
});
