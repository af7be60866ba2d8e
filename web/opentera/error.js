/** What went wrong, in the server's words; those of our own are known in every language. */
import { t } from '../i18n.js';
import { values } from './values.js';

const KNOWN = {
  Forbidden: 'state.denied',
  Unauthorized: 'state.denied',
  'Unknown error': 'opentera.error.unknown',
  'Only participants can access this page. Sorry.': 'opentera.error.participants',
  'Only users can access this page. Sorry.': 'opentera.error.users',
  'An existing session needs to be specified.': 'opentera.error.session',
  'Unknown session': 'opentera.error.no.session',
  'The service is not connected to its server. Please try again later.': 'opentera.error.away',
};

const key = KNOWN[values.error];
document.getElementById('error').textContent = key ? t(key) : values.error;
