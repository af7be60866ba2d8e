/** The waiting room: one's own picture, and what is to be known. */
import { t } from '../i18n.js';
import { Media } from '../call/media.js';
import { values } from './values.js';

/** What the server says unless it is told otherwise, in the browser's language. */
const PATIENCE = 'Your session will start soon. Thank you for your patience!';

const message = document.getElementById('message');
message.textContent = values.message === PATIENCE ? t('opentera.patience') : values.message;
message.dataset.type = values.messageType;

const media = new Media();
const preview = document.getElementById('preview');

function draw() {
  const track = media.track('video');
  preview.srcObject = track ? new MediaStream([track]) : null;
  document.getElementById('covered').hidden = track !== null;
  document.getElementById('media-note').textContent = media.missing ? t(`opentera.media.${media.missing}`) : '';
}

media.addEventListener('changed', draw);
await media.start();
draw();
