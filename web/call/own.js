/** Our own picture, and the buttons that turn things on and off. */
import { t } from '../i18n.js';

const at = (id) => document.getElementById(id);

/** What is said of each value of `Media.missing`. */
const MISSING = { audio: 'media.audio', video: 'media.video', both: 'media.both', insecure: 'media.insecure' };

/**
 * Shows what we send, and says what is missing.
 * @param {import('./media.js').Media} media
 */
export function showOwn(media) {
  const update = () => {
    const track = media.track('video');
    for (const id of ['preview', 'local']) show(at(id), track);
    for (const own of document.querySelectorAll('.own')) {
      own.classList.toggle('no-picture', !media.camera);
      own.classList.toggle('shares', media.sharing);
    }
    button('mute', media.microphone, 'call.mute', 'call.unmute');
    button('camera-toggle', media.cameraOn, 'call.camera.off', 'call.camera.on');
    button('share', !media.sharing, 'call.share', 'call.share.stop');
    for (const note of document.querySelectorAll('.media-note')) {
      const words = media.missing ? t(MISSING[media.missing]) : '';
      // The same words again would be read out again.
      if (note.textContent !== words) note.textContent = words;
    }
  };
  at('mute').onclick = () => media.setMicrophone(!media.microphone);
  at('camera-toggle').onclick = () => media.setCamera(!media.cameraOn);
  // Whoever closes the browser's choice of screens did not mean to share.
  at('share').onclick = () => (media.sharing ? media.unshare() : media.share().catch(() => {}));
  at('share').hidden = !navigator.mediaDevices?.getDisplayMedia;
  media.addEventListener('changed', update);
  update();
}

function show(video, track) {
  if (video.srcObject?.getVideoTracks()[0] === (track ?? undefined)) return;
  video.srcObject = track && new MediaStream([track]);
}

/** The words say what a press does; `off` is the look of what is not as usual. */
function button(id, usual, words, otherWords) {
  const element = at(id);
  element.querySelector('.words').textContent = t(usual ? words : otherWords);
  element.classList.toggle('off', !usual);
}
