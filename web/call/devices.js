/** The choice of camera, microphone and speaker. */
import { t } from '../i18n.js';

const LISTS = [
  { id: 'camera', kind: 'videoinput', track: 'video' },
  { id: 'microphone', kind: 'audioinput', track: 'audio' },
  { id: 'speaker', kind: 'audiooutput' },
];

/**
 * Fills the three lists and keeps them up to date.
 * @param {import('./media.js').Media} media
 * @param {(deviceId: string) => void} setSpeaker
 */
export function offerDevices(media, setSpeaker) {
  const canChooseSpeaker = 'setSinkId' in HTMLMediaElement.prototype;
  const fill = async () => {
    for (const { id, kind, track } of LISTS) {
      const select = document.getElementById(id);
      const devices = await media.devices(kind);
      const chosen = track ? media.deviceId(track) : select.value;
      const options = devices.map(({ label, deviceId }, at) => new Option(label || t('call.device', { number: at + 1 }), deviceId));
      const before = [...select.options].map(({ text, value }) => text + value).join();
      // An open list would close if it were filled anew.
      if (before !== options.map(({ text, value }) => text + value).join() || !options.length) {
        select.replaceChildren(...(options.length ? options : [new Option(t('call.none'), '')]));
      }
      if (devices.some(({ deviceId }) => deviceId === chosen)) select.value = chosen;
      select.disabled = devices.length === 0;
      if (!track) select.closest('label').hidden = !canChooseSpeaker || devices.length === 0;
    }
  };
  for (const { id, track } of LISTS) {
    const select = document.getElementById(id);
    select.onchange = () => (track ? media.choose(track, select.value) : setSpeaker(select.value));
  }
  media.addEventListener('changed', fill);
  navigator.mediaDevices?.addEventListener('devicechange', fill);
  fill();
}
