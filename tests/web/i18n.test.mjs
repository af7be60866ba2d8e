/** Both languages say the same things. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

import en from '../../web/languages/en.js';
import fr from '../../web/languages/fr.js';

const WEB = new URL('../../web/', import.meta.url);

test('the dictionaries have the same keys and the same values in them', () => {
  assert.deepEqual(Object.keys(fr).sort(), Object.keys(en).sort());
  const values = (words) => (words.match(/\{\w+\}/g) ?? []).sort();
  for (const key of Object.keys(en)) assert.deepEqual(values(fr[key]), values(en[key]), key);
});

test('every key that a page or script names is in the dictionaries, and none is idle', () => {
  const files = readdirSync(WEB, { recursive: true }).filter((file) => /\.(html|js)$/.test(file) && !file.startsWith('languages'));
  const text = files.map((file) => readFileSync(new URL(file, WEB), 'utf8')).join('\n');
  const named = [...text.matchAll(/data-i18n(?:-\w+)?="([\w.-]+)"/g)].map(([, key]) => key);
  for (const key of named) assert.ok(key in en, key);
  const idle = Object.keys(en).filter((key) => !text.includes(`"${key}"`) && !text.includes(`'${key}'`) && !/^(state|role|opentera\.media)\./.test(key));
  assert.deepEqual(idle, ['login.wrong'], 'the server writes that one');
});
