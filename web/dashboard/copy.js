/** Copying a link, also where the browser has no clipboard for the page. */
import { t } from '../i18n.js';

/** How long the button says that it was done, in milliseconds. */
const SAID_TIME = 2_000;

/**
 * Makes a button copy a link and say so.
 * @param {HTMLButtonElement} button
 * @param {string} url
 * @param {HTMLElement} byHand shown with the link in it if all else fails
 */
export function copyOnClick(button, url, byHand) {
  let timer;
  button.onclick = async () => {
    const done = await copy(url);
    byHand.hidden = done;
    if (!done) {
      const field = byHand.querySelector('input');
      field.value = url;
      field.select();
      return;
    }
    clearTimeout(timer);
    button.textContent = t('dashboard.copied');
    timer = setTimeout(() => (button.textContent = t('dashboard.copy')), SAID_TIME);
  };
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyOldWay(text);
  }
}

/** Without TLS a page has no clipboard, but may copy what is selected. */
function copyOldWay(text) {
  const focused = document.activeElement;
  const field = Object.assign(document.createElement('textarea'), { value: text, readOnly: true });
  document.body.append(field);
  field.select();
  const done = document.execCommand('copy');
  field.remove();
  focused?.focus();
  return done;
}
