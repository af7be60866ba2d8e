/** Words in the browser's language, French or English. */
import en from './languages/en.js';
import fr from './languages/fr.js';

const DICTIONARIES = { en, fr };

/** The language in use: the first of the browser's that we have, else English. */
export const language = (globalThis.navigator?.languages ?? [])
  .map((tag) => tag.slice(0, 2).toLowerCase())
  .find((tag) => tag in DICTIONARIES) ?? 'en';

/**
 * The words for a key; `{name}` in them stands for `values.name`.
 * @param {string} key
 * @param {Record<string, unknown>} [values]
 */
export function t(key, values = {}) {
  const words = DICTIONARIES[language][key] ?? key;
  return words.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** Puts words into every element that asks for some: `data-i18n`, `-label`, `-placeholder`. */
export function translate(root = document) {
  document.documentElement.lang = language;
  for (const element of root.querySelectorAll('[data-i18n]')) element.textContent = t(element.dataset.i18n);
  for (const element of root.querySelectorAll('[data-i18n-label]')) element.setAttribute('aria-label', t(element.dataset.i18nLabel));
  for (const element of root.querySelectorAll('[data-i18n-placeholder]')) element.placeholder = t(element.dataset.i18nPlaceholder);
}
