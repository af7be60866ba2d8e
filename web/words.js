/** For pages that need nothing but their words. */
import { translate } from './i18n.js';

translate();
