/** What the server hands to a page. */
import { t, translate } from '../i18n.js';

/** @type {Record<string, any>} */
export const values = JSON.parse(document.getElementById('config').textContent);

/** The server's address, for calls and sockets. */
export const backend = `https://${values.backendHostname}:${values.backendPort}`;

translate();
for (const element of document.querySelectorAll('[data-i18n-title]')) element.title = t(element.dataset.i18nTitle);
