/** Pages that use the unmodified open-easyrtc client, and sites that serve them. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { PATIENCE, visitor } from './browser.mjs';
import { Server } from './server.mjs';

const HERE = dirname(dirname(fileURLToPath(import.meta.url)));

/** A working directory as an OpenTera site has one, with this version of the client. */
export function workingDirectory(client) {
  const directory = mkdtempSync(join(tmpdir(), 'viderehab-site-'));
  const copy = (from, to) => {
    mkdirSync(dirname(join(directory, to)), { recursive: true });
    copyFileSync(join(HERE, from), join(directory, to));
  };
  copy('easyrtc/page.html', 'protected/index_users.html');
  copy('easyrtc/page.html', 'protected/index_participants.html');
  copy('easyrtc/page.js', 'static/js/page.js');
  copy('node_modules/webrtc-adapter/out/adapter.js', 'static/js/adapter.js');
  copy(`node_modules/${client}/dist/socket.io.js`, 'static/js/socket.io.js');
  writeFileSync(join(directory, 'static/denied.html'), '<!doctype html><title>denied</title>not yours');
  mkdirSync(join(directory, 'node_modules'));
  symlinkSync(join(HERE, 'node_modules/open-easyrtc'), join(directory, 'node_modules/open-easyrtc'));
  return { directory, remove: () => rmSync(directory, { recursive: true }) };
}

/** Runs a test with a viderehab that serves such a directory. */
export async function withSite(client, settings, run) {
  const site = workingDirectory(client);
  const server = await Server.start({ VIDEREHAB_WEBRTC__WORKING_DIRECTORY: site.directory, ...settings });
  try {
    await run(server, site.directory);
  } catch (error) {
    console.error(server.log);
    throw error;
  } finally {
    await server.stop();
    site.remove();
  }
}

/** Calls one of the page's functions; its promise's value. */
export const ask = (page, name, ...rest) => page.evaluate(([name, rest]) => window.page[name](...rest), [name, rest]);
export const until = (page, what, argument) => page.waitForFunction(what, argument, { timeout: PATIENCE });
export const others = (page, room, wanted) =>
  until(page, ([room, wanted]) => String(told.occupants[room]) === String(wanted), [room, wanted]);
export const said = (page, wanted) =>
  until(page, (wanted) => told.heard.some((one) => JSON.stringify(one) === JSON.stringify(wanted)), wanted);

/** Waits until the frames of this peer's video grow. */
export async function sees(page, peer) {
  const frames = (peer) => document.getElementById(peer)?.getVideoPlaybackQuality().totalVideoFrames ?? 0;
  const before = await page.evaluate(frames, peer);
  await until(page, ([peer, before]) =>
    (document.getElementById(peer)?.getVideoPlaybackQuality().totalVideoFrames ?? 0) > before + 5, [peer, before]);
}

/** Opens a page and connects it; its id is `page.id`. */
export async function enter(browser, url) {
  const page = await visitor(browser);
  await page.goto(url);
  return connected(page);
}

/** Connects a page that is open. */
export async function connected(page) {
  await ask(page, 'media');
  page.id = await ask(page, 'connect');
  return page;
}
