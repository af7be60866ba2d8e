/** Calls through a real coturn and nothing else, with the credentials that we make. */
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { join, launch, seesOthers, visitor } from './support/browser.mjs';
import { startCoturn } from './support/coturn.mjs';
import { ask, enter, sees, withSite } from './support/easyrtc.mjs';
import { Server } from './support/server.mjs';

const SECRET = 'known to coturn and to us';
const TIMEOUT = { timeout: 120_000 };

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());
afterEach(() => Promise.all(browser.contexts().map((context) => context.close())));

const settings = (url) => ({
  VIDEREHAB_WEBRTC__TURN__URLS: `["${url}"]`,
  VIDEREHAB_WEBRTC__TURN__SECRET: SECRET,
});

/** A browser that sends media through relays alone, and whose connections can be looked at. */
const relayOnly = {
  newContext: async (options) => {
    const context = await browser.newContext(options);
    await context.addInitScript(() => {
      window.connections = [];
      const Original = RTCPeerConnection;
      window.RTCPeerConnection = class extends Original {
        constructor(configuration) {
          super({ ...configuration, iceTransportPolicy: 'relay' });
          window.connections.push(this);
        }
      };
    });
    return context;
  },
};

/** The kinds of the candidates that media go by at this end. */
const kinds = (page) => page.evaluate(async () => {
  const found = [];
  for (const connection of window.connections) {
    const stats = [...(await connection.getStats()).values()];
    for (const pair of stats.filter((one) => one.type === 'candidate-pair' && one.nominated)) {
      found.push(stats.find((one) => one.id === pair.localCandidateId).candidateType);
    }
  }
  return [...new Set(found)];
});

/** What a browser gathers with these servers, relays alone. */
const gathered = (page, iceServers) => page.evaluate((iceServers) => new Promise((done) => {
  const connection = new RTCPeerConnection({ iceServers });
  const result = { candidates: 0, errors: [] };
  connection.onicecandidate = ({ candidate }) => (candidate ? (result.candidates += 1) : done(result));
  connection.onicecandidateerror = ({ errorCode }) => result.errors.push(errorCode);
  connection.createDataChannel('any');
  connection.setLocalDescription();
}), iceServers);

/** Runs a test with a coturn. */
async function withCoturn(run) {
  const coturn = await startCoturn(SECRET);
  try {
    await run(coturn.url);
  } finally {
    await coturn.stop();
  }
}

test('our own pages call each other by relay alone', TIMEOUT, () => withCoturn(async (url) => {
  const server = await Server.start(settings(url));
  try {
    const session = await server.session('bob');
    const pages = await Promise.all(['ann', 'bob'].map((name) => join(relayOnly, session.url(name), name)));
    await Promise.all(pages.map((page) => seesOthers(page, 1)));
    for (const page of pages) assert.deepEqual(await kinds(page), ['relay']);
  } finally {
    await server.stop();
  }
}));

test('EasyRTC pages call each other by relay alone', TIMEOUT, () => withCoturn((url) =>
  withSite('socket.io-client-2', settings(url), async (server) => {
    const session = await server.session('bob');
    const [ann, bob] = [await enter(relayOnly, session.url('ann')), await enter(relayOnly, session.url('bob'))];
    await ask(bob, 'call', ann.id);
    await Promise.all([sees(ann, bob.id), sees(bob, ann.id)]);
    for (const page of [ann, bob]) assert.deepEqual(await kinds(page), ['relay']);
  })));

test('credentials are of one client, fresh each time, and refused without the secret', TIMEOUT, () => withCoturn((url) =>
  withSite('socket.io-client-4', settings(url), async (server) => {
    const session = await server.session('bob');
    const [ann, bob] = [await enter(relayOnly, session.url('ann')), await enter(relayOnly, session.url('bob'))];
    const [first, others] = [await ask(ann, 'iceServers'), await ask(bob, 'iceServers')];
    assert.notEqual(first[0].username, others[0].username);
    // The name holds the second in which the credentials end.
    await new Promise((later) => setTimeout(later, 1100));
    const again = await ask(ann, 'iceServers');
    assert.notEqual(again[0].username, first[0].username);
    assert.ok((await gathered(ann, again)).candidates > 0);

    const page = await visitor(relayOnly);
    await page.goto(session.url('bob'));
    const refused = await gathered(page, [{ ...again[0], credential: 'made up' }]);
    assert.deepEqual([refused.candidates, refused.errors.includes(401)], [0, true]);
  })));
