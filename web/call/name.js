/** The name that the others see: from the link, else as it was given last time in this browser. */

const KEY = 'viderehab.name';

/** @param {Location} location the page's */
export function startingName(location) {
  return new URLSearchParams(location.search).get('name') ?? remembered() ?? '';
}

export function rememberName(name) {
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // A browser may be told to keep nothing.
  }
}

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}
