/** The service on an OpenTera site: from the server's call to people in a call, through its nginx. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launch, seesOthers, state, visitor } from './support/browser.mjs';
import { Site, token } from './support/opentera.mjs';
import { Server } from './support/server.mjs';

const ANN = 'aaaaaaaa-0000-4000-8000-000000000002';
const PAUL = 'bbbbbbbb-0000-4000-8000-000000000001';
const START = { session_manage: { action: 'start', id_session: 0, id_service: 6, id_session_type: 1, session_users: [ANN], session_participants: [PAUL] } };

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

/** Runs a test on a site of its own. */
function onSite(name, run) {
  test(name, { timeout: 120_000 }, async () => {
    const site = await Site.start();
    const server = new Server();
    try {
      await server.begin(site.settings);
      await site.serve(new URL(server.url).port);
      await ready(server);
      await run(site, server);
    } catch (error) {
      console.error(server.log);
      throw error;
    } finally {
      await Promise.all(browser.contexts().map((context) => context.close()));
      await server.stop();
      await site.stop();
    }
  });
}

const picture = async (page, name) => {
  if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}.png` });
};

async function ready(server) {
  while (!(await fetch(`${server.url}/readyz`)).ok) await new Promise((later) => setTimeout(later, 20));
}

/** The browser of somebody who believes the site's certificate. */
async function join(url, name) {
  const page = await visitor(browser, { ignoreHTTPSErrors: true });
  await page.goto(url);
  await page.fill('#name', name);
  await page.click('#join');
  return page;
}

onSite('the URLs of the invitations lead through nginx into the call', async (site, server) => {
  const reply = await site.call('session_manage', START);
  assert.equal(reply.status, 'started');
  const urls = [await site.invitation('user', ANN), await site.invitation('participant', PAUL)];
  for (const url of urls) assert.ok(url.startsWith(`https://127.0.0.1:${site.port}/webrtc/`), url);
  assert.notEqual(new URL(urls[0]).searchParams.get('key'), new URL(urls[1]).searchParams.get('key'));
  // What OpenTera's page of a participant appends.
  const pages = [await join(urls[0], 'Ann'), await join(`${urls[1]}&name=Paul&uuid=${PAUL}&source=test`, 'Paul')];
  await Promise.all(pages.map((page) => seesOthers(page, 1)));
  const stopped = await site.call('session_manage', { session_manage: { action: 'stop', id_session: reply.session.id_session } });
  assert.equal(stopped.status, 'stopped');
  await Promise.all(pages.map((page) => state(page, 'ended')));
  assert.deepEqual(pages.flatMap((page) => page.errors), []);
  assert.ok(!server.log.includes(new URL(urls[0]).searchParams.get('key')), 'no key is in the log');
});

const PAULS_TOKEN = token({ iss: 'TeraServer', jti: 'x', participant_uuid: PAUL, id_participant: 1 });

/** The participant's dashboard, logged in and in the waiting room. */
async function dashboard(site) {
  site.answers['GET /api/participant/participants'] = { participant_name: 'Paul <b>' };
  site.answers['GET /api/participant/login'] = { websocket_url: `wss://127.0.0.1:${site.port}/wss/participant?id=1` };
  const page = await visitor(browser, { ignoreHTTPSErrors: true });
  await page.goto(`https://127.0.0.1:${site.port}/rehab/participant?token=${PAULS_TOKEN}`);
  const frame = page.frameLocator('#frame');
  await frame.locator('#message').filter({ hasText: 'Your session will start soon' }).waitFor();
  return { page, frame };
}

onSite('a participant waits, is in the session, and waits again', async (site) => {
  const { page, frame } = await dashboard(site);
  assert.equal(await page.textContent('#name'), 'Paul <b>');
  await frame.locator('#covered').waitFor({ state: 'hidden' });
  await picture(page, 'waiting');
  const reply = await site.call('session_manage', START);
  const [anns, pauls] = [await site.invitation('user', ANN), await site.invitation('participant', PAUL)];
  site.say('JoinSessionEvent', { sessionUrl: pauls });
  const ann = await join(anns, 'Ann');
  await frame.locator('#join').click();
  await seesOthers(ann, 1);
  assert.equal(await ann.textContent('.peer-name'), 'Paul <b>', 'the name comes with the address');
  // The invitation comes again when somebody else is invited: the call goes on.
  site.say('JoinSessionEvent', { sessionUrl: pauls });
  await seesOthers(ann, 1);
  await picture(page, 'in-session');
  await site.call('session_manage', { session_manage: { action: 'stop', id_session: reply.session.id_session } });
  site.say('StopSessionEvent', {});
  await frame.locator('#message').filter({ hasText: 'The session is over' }).waitFor();
  assert.deepEqual(page.errors, []);
});

onSite('a participant comes back after the server was away, and may be logged out', async (site) => {
  const { page, frame } = await dashboard(site);
  site.hangUp(1001);
  await page.getByText('Reconnecting').waitFor();
  while (site.listeners === 0) await page.waitForTimeout(50);
  await page.waitForFunction(() => document.getElementById('status').textContent === '');
  site.hangUp(4000);
  await frame.getByText('Goodbye, Paul <b>!').waitFor();
  await picture(page, 'goodbye');
  await frame.locator('#again').click();
  await page.frameLocator('#frame').locator('#message').waitFor();
});

onSite('a user starts a session from its lobby', async (site) => {
  const session = {
    id_session: 1, session_uuid: 'eeeeeeee-0000-4000-8000-000000000001', session_name: 'Walking', session_comments: '',
    session_users: [{ user_uuid: ANN, user_name: 'Ann' }], session_participants: [{ participant_uuid: PAUL, participant_name: 'Paul' }], session_devices: [],
  };
  site.answers['GET /api/user/sessions'] = (url) => (url.includes(session.session_uuid) ? [session] : []);
  site.answers['POST /api/user/sessions/manager'] = { status: 'error', error_text: 'Cannot create process' };
  const claims = { exp: 4102444800, iss: 'TeraServer', jti: 'x', user_uuid: ANN, id_user: 2 };
  const page = await visitor(browser, { ignoreHTTPSErrors: true, locale: 'fr' });
  const lobby = `https://127.0.0.1:${site.port}/rehab/user_session_lobby?token=${token(claims)}`;
  await page.goto(`${lobby}&session_uuid=unknown`);
  await page.getByText('Cette séance n’existe pas.').waitFor();
  await page.goto(`${lobby}&session_uuid=${session.session_uuid}`);
  assert.deepEqual(await page.locator('li').allTextContents(), ['Ann', 'Paul']);
  await picture(page, 'lobby');
  await page.click('#start');
  await page.getByText('La séance n’a pas démarré : Cannot create process').waitFor();
  const reply = await site.call('session_manage', START);
  site.answers['POST /api/user/sessions/manager'] = reply;
  await page.click('#start');
  await page.waitForURL(await site.invitation('user', ANN));
  assert.deepEqual(page.errors, []);
  const refused = await page.goto(`https://127.0.0.1:${site.port}/rehab/participant?token=${token({ ...claims, exp: 1 })}`);
  assert.equal(refused.status(), 403);
  assert.equal(await refused.text(), 'Forbidden');
});
