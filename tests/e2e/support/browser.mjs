/** Chromium with fake devices, and people in call pages. */
import { chromium } from 'playwright-core';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
];

/** How long a call may take to come about on a machine that is busy. */
export const PATIENCE = 30_000;

export const launch = () => chromium.launch({ executablePath: CHROMIUM, args: FLAGS });

/** A page of somebody else's browser. Errors in it are collected in `page.errors`. */
export async function visitor(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(error.message));
  return page;
}

/** Opens an invitee's link and joins. */
export async function join(browser, url, name) {
  const page = await visitor(browser);
  await page.goto(url);
  await page.fill('#name', name);
  await page.click('#join');
  return page;
}

export const state = (page, wanted) => page.waitForSelector(`body[data-state="${wanted}"]`);

/** Decoded frames of each remote video, by peer. */
export const frames = (page) => page.$$eval('.peer', (tiles) => Object.fromEntries(
  tiles.map((tile) => [tile.dataset.peer, tile.querySelector('video').getVideoPlaybackQuality().totalVideoFrames]),
));

/** Waits until a page shows just as many others, and the frames of every one of them grow. */
export async function seesOthers(page, count) {
  await page.waitForFunction((count) => document.querySelectorAll('.peer').length === count, count);
  const before = await frames(page);
  await page.waitForFunction((before) => {
    const tiles = [...document.querySelectorAll('.peer')];
    return tiles.every((tile) => tile.querySelector('video').getVideoPlaybackQuality().totalVideoFrames > (before[tile.dataset.peer] ?? 0) + 5);
  }, before);
}
