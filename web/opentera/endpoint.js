/** The good-bye page. */
import { t } from '../i18n.js';
import { pageAddress } from './rules.js';
import { values } from './values.js';

document.getElementById('again').href = pageAddress('participant', { token: values.token });
if (values.participantName) document.getElementById('title').textContent = t('opentera.bye.name', { name: values.participantName });
