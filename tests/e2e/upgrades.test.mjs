/** Fifty calls go on while the server's program is replaced again and again. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { launch, visitor } from './support/browser.mjs';
import { Server } from './support/server.mjs';

const CALLS = 50;

/** A browser opens its sockets the slower the more of them one page opens at once. */
const CALLS_OF_A_PAGE = 5;
const UPGRADES = 20;

/** An upgrade, and all come back from it. */
const ROUND = 15_000;

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

/** Opens a page with these calls in it, and gives what `upgrades/calls.js` says of them. */
async function open(sessions) {
  const page = await visitor(browser, { bypassCSP: true });
  // The page for whoever has no key: of the same origin and with the same modules, and it does nothing by itself.
  await page.goto(sessions[0].url('ann').split('?')[0]);
  const script = readFileSync(new URL('upgrades/calls.js', import.meta.url), 'utf8');
  const assets = new URL('assets', page.url()).href;
  const links = sessions.flatMap((session) => [session.url('ann'), session.url('bob')]);
  const calls = await page.evaluateHandle(async ([script, assets, links]) => {
    const { place } = await import(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })));
    return place(assets, links);
  }, [script, assets, links]);
  return { page, ask: (name) => calls.evaluate((calls, name) => calls[name](), name) };
}

/** Asks until it is so. */
async function until(what, say) {
  const late = Date.now() + ROUND;
  while (!(await what())) {
    assert.ok(Date.now() < late, say);
    await new Promise((later) => setTimeout(later, 50));
  }
}

test('fifty calls keep their media through twenty upgrades', { timeout: 300_000 }, async () => {
  const server = await Server.start({ VIDEREHAB_WEBRTC__MAX_SESSIONS: String(CALLS) });
  try {
    const sessions = [];
    while (sessions.length < CALLS) sessions.push(await server.session('bob'));
    const pages = [];
    while (sessions.length > CALLS_OF_A_PAGE * pages.length) {
      const first = CALLS_OF_A_PAGE * pages.length;
      pages.push(await open(sessions.slice(first, first + CALLS_OF_A_PAGE)));
    }
    const ask = async (name) => (await Promise.all(pages.map((page) => page.ask(name)))).flat();
    const allIn = async () => (await ask('states')).every((state) => state === 'in-call');
    /** Whether every end has seen more of the other since. */
    const seenSince = (before) => async () => (await ask('received')).every((count, at) => count > before[at] + 5);

    await until(allIn, 'everybody gets into a call');
    let seen = await ask('received');
    assert.equal(seen.length, 2 * CALLS);
    await until(seenSince(seen), 'everybody sees the other');
    for (let round = 0; round < UPGRADES; round += 1) {
      seen = await ask('received');
      await server.upgrade();
      await until(async () => (await server.resumed()) >= 2 * CALLS, `${round}: all come back to their seats`);
      await until(seenSince(seen), `${round}: everybody still sees the other`);
    }
    assert.ok(await allIn(), 'nobody is out of their call');
    assert.equal((await ask('received')).length, 2 * CALLS, 'no connection was made anew');
    assert.deepEqual(await ask('left'), pages.map(() => 0), 'nobody left for anybody');
    assert.deepEqual(pages.flatMap(({ page }) => page.errors), []);
  } catch (error) {
    console.error(server.log);
    throw error;
  } finally {
    await server.stop();
  }
});
