/** How a session's page is waited for: it may not be up when the invitation comes. */

const POLLS = 12;
/** Between two polls, in milliseconds. */
const PAUSE = 250;

/**
 * Resolves when the page is up, or has been asked for often enough; to false as soon as it is no longer
 * wanted, since meanwhile the session may have ended, or another begun.
 * @param {{ get: () => Promise<{ status: number }>, pause: (time: number) => Promise<void>, wanted: () => boolean }} how
 */
export async function pageUp({ get, pause, wanted }) {
  for (let polls = 1; ; polls += 1) {
    // What cannot be read, being of another origin, counts as not up yet.
    const up = await get().then(({ status }) => status === 200, () => false);
    if (!wanted()) return false;
    if (up || polls === POLLS) return true;
    await pause(PAUSE);
    if (!wanted()) return false;
  }
}
