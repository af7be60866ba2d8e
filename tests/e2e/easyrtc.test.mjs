/**
 * The unmodified open-easyrtc client in Chromium, with media both ways: first against the open-easyrtc
 * server, so that the test is known to test, then through viderehab.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, afterEach, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { launch, visitor } from './support/browser.mjs';
import { ask, connected, enter, others, said, sees, until, withSite, workingDirectory } from './support/easyrtc.mjs';
import { startNginx } from './support/nginx.mjs';
import { freePort } from './support/server.mjs';

const REFERENCE = fileURLToPath(new URL('easyrtc/server.mjs', import.meta.url));
const CLIENTS = { 'socket.io-client 2': 'socket.io-client-2', 'socket.io-client 4': 'socket.io-client-4' };
const TIMEOUT = { timeout: 120_000 };

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());
afterEach(() => Promise.all(browser.contexts().map((context) => context.close())));

/** The real server with the pages of this directory. */
async function startReference(directory) {
  const child = spawn(process.execPath, [REFERENCE, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [url] = await once(createInterface({ input: child.stdout }), 'line');
  return {
    url,
    async stop() {
      child.kill();
      await once(child, 'exit');
    },
  };
}

/** All that an application does with the library, at whatever server serves these two pages. */
async function everything(annUrl, bobUrl) {
  const [ann, bob] = [await enter(browser, annUrl), await enter(browser, bobUrl)];
  await others(ann, 'default', [bob.id]);
  await others(bob, 'default', [ann.id]);

  await ask(bob, 'call', ann.id);
  await Promise.all([sees(ann, bob.id), sees(bob, ann.id)]);
  const tracks = await ann.$eval('video', (video) => video.srcObject.getTracks().map((track) => track.kind).sort());
  assert.deepEqual(tracks, ['audio', 'video']);

  const data = { text: 'héllo 😀', list: [1, null], nested: {} };
  assert.deepEqual(await ask(ann, 'say', bob.id, 'greeting', data), { msgType: 'ack' });
  await said(bob, [ann.id, 'greeting', data]);
  await ask(bob, 'say', { targetRoom: 'default' }, 'to all', 1);
  await said(ann, [bob.id, 'to all', 1]);
  const nobody = await ask(ann, 'say', 'nobody', 'greeting', data);
  assert.equal(nobody.msgData.errorCode, 'MSG_REJECT_GEN_FAIL');

  await ask(ann, 'join', 'side');
  assert.deepEqual(await ask(bob, 'rooms'), ['default', 'side']);
  await ask(bob, 'join', 'side');
  await others(ann, 'side', [bob.id]);
  await ask(bob, 'leave', 'side');
  await others(ann, 'side', []);
  await sees(bob, ann.id);

  await bob.evaluate((id) => easyrtc.hangup(id), ann.id);
  await until(ann, () => document.querySelector('video') === null);
  await bob.close();
  await others(ann, 'default', []);
  assert.deepEqual(ann.errors, []);
}

for (const [name, client] of Object.entries(CLIENTS)) {
  test(`${name}: a call through open-easyrtc itself`, TIMEOUT, async () => {
    const site = workingDirectory(client);
    const reference = await startReference(site.directory);
    try {
      await everything(reference.url, reference.url);
    } finally {
      await reference.stop();
      site.remove();
    }
  });

  test(`${name}: a call through viderehab`, TIMEOUT, () => withSite(client, {}, async (server) => {
    const session = await server.session('bob');
    await everything(session.url('ann'), session.url('bob'));
  }));

  test(`${name}: a call through viderehab behind nginx`, TIMEOUT, async () => {
    const port = await freePort();
    await withSite(client, { VIDEREHAB_SERVER__PUBLIC_URL: `http://127.0.0.1:${port}` }, async (server) => {
      const nginx = await startNginx({ port, manager: new URL(server.url).port });
      try {
        const session = await server.session('bob');
        await everything(session.url('ann'), session.url('bob'));
      } finally {
        await nginx.stop();
      }
    });
  });

  test(`${name}: two people in one browser stay two`, TIMEOUT, () => withSite(client, {}, async (server) => {
    const session = await server.session('bob');
    const ann = await visitor(browser);
    const bob = await ann.context().newPage();
    await ann.goto(session.url('ann'));
    await bob.goto(session.url('bob'));
    for (const page of [ann, bob]) await connected(page);
    await others(ann, 'default', [bob.id]);
    await server.manage('remove', { id_session: session.id, session_participants: ['bob'] });
    await until(bob, () => told.lost === 1);
    await others(ann, 'default', []);
    assert.equal(await ann.evaluate(() => told.lost), 0);
  }));

  test(`${name}: out when removed, back after a restart`, TIMEOUT, () => withSite(client, {}, async (server) => {
    const session = await server.session('bob', 'cid');
    const [ann, bob, cid] = [await enter(browser, session.url('ann')), await enter(browser, session.url('bob')), await enter(browser, session.url('cid'))];
    await others(ann, 'default', [bob.id, cid.id]);
    await server.manage('remove', { id_session: session.id, session_participants: ['cid'] });
    await until(cid, () => told.lost === 1);
    await others(ann, 'default', [bob.id]);
    for (const [round, end] of ['drain', 'kill'].entries()) {
      await server[end]();
      await until(ann, (lost) => told.lost === lost, round + 1);
      await server.launch();
      // The library logs in again by itself, under another name.
      for (const page of [ann, bob]) {
        await until(page, (old) => easyrtc.webSocketConnected && easyrtc.myEasyrtcid && easyrtc.myEasyrtcid !== old, page.id);
        page.id = await page.evaluate(() => easyrtc.myEasyrtcid);
      }
      await others(ann, 'default', [bob.id]);
      await ask(bob, 'call', ann.id);
      await Promise.all([sees(ann, bob.id), sees(bob, ann.id)]);
    }
    assert.equal(await cid.evaluate(() => Boolean(easyrtc.webSocket?.connected)), false);
  }));
}
