/** The choice of camera, microphone and speaker. */
import { t } from '../i18n.js';

const KINDS = { camera: ['videoinput', 'video'], microphone: ['audioinput', 'audio'], speaker: ['audiooutput', null] };

/**
 * Fills the three lists and keeps them up to date.
 * @param {import('./media.js').Media} media
 * @param {(deviceId: string) => void} setSpeaker
 */
export function offerDevices(media, setSpeaker) {
  const canChooseSpeaker = 'setSinkId' in HTMLMediaElement.prototype;
  const fill = async () => {
    const devices = await media.devices();
    for (const [id, [kind, track]] of Object.entries(KINDS)) {
      const select = document.getElementById(id);
      const chosen = track ? media.deviceId(track) : select.value;
      const list = devices[kind] ?? [];
      const options = list.map((device, at) => new Option(device.label || t('call.device', { number: at + 1 }), device.deviceId));
      if (!options.length) options.push(new Option(t('call.none'), ''));
      select.replaceChildren(...options);
      if (list.some((device) => device.deviceId === chosen)) select.value = chosen;
      select.disabled = list.length === 0;
    }
    document.getElementById('speaker').closest('label').hidden = !canChooseSpeaker || !devices.audiooutput;
  };
  document.getElementById('camera').onchange = ({ target }) => media.choose('video', target.value);
  document.getElementById('microphone').onchange = ({ target }) => media.choose('audio', target.value);
  document.getElementById('speaker').onchange = ({ target }) => setSpeaker(target.value);
  navigator.mediaDevices?.addEventListener('devicechange', fill);
  return fill;
}
