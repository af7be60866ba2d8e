/** One session on the dashboard. */
import { language, t, translate } from '../i18n.js';
import { LISTS, manage } from './server.js';

export class SessionCard {
  #id;
  #act;
  #invitees = [];
  #live = null;

  /**
   * @param {number} id
   * @param {(work: () => Promise<void>) => void} act does something and shows what went wrong
   */
  constructor(id, act) {
    this.#id = id;
    this.#act = act;
    this.element = document.querySelector('#session').content.firstElementChild.cloneNode(true);
    this.element.dataset.sessionId = id;
    translate(this.element);
    this.#listen();
    // The list of sessions holds no links: an invitation of nobody gives everybody's.
    this.#act(async () => this.#links(await manage('invite', { id_session: id })));
  }

  /** Shows the session as the server now has it. */
  update(live) {
    this.#live = live;
    const find = (selector) => this.element.querySelector(selector);
    const time = new Date(live.session_start_datetime).toLocaleTimeString(language, { hour: '2-digit', minute: '2-digit' });
    find('.name').textContent = live.session_name;
    find('.facts').textContent = `${t('dashboard.since', { time })} · ${t('dashboard.port', { port: live.port })}`;
    find('.peers').textContent = t('dashboard.peers', { count: live.peers.length });
    const people = Object.values(LISTS).flatMap((list) => live[list]);
    const known = this.#invitees.length;
    this.#mark();
    // Somebody else invited or removed: the links are out of date.
    if (known && new Set(people).size !== new Set(this.#invitees.map(({ uuid }) => uuid)).size) {
      this.#act(async () => this.#links(await manage('invite', { id_session: this.#id })));
    }
  }

  #listen() {
    const find = (selector) => this.element.querySelector(selector);
    const sure = (shown) => {
      find('.stop').hidden = shown;
      find('.stop-box .sure').hidden = !shown;
      find(shown ? '.stop-no' : '.stop').focus();
    };
    find('.stop').onclick = () => sure(true);
    find('.stop-no').onclick = () => sure(false);
    find('.stop-box').onkeydown = ({ key }) => key === 'Escape' && sure(false);
    find('.stop-yes').onclick = () => this.#act(async () => {
      await manage('stop', { id_session: this.#id });
      this.element.remove();
    });
    find('.invite-form').onsubmit = (event) => {
      event.preventDefault();
      const { uuid, role } = event.target.elements;
      this.#act(async () => {
        this.#links(await manage('invite', { id_session: this.#id, [LISTS[role.value]]: [uuid.value.trim()] }));
        uuid.value = '';
      });
    };
  }

  #links(session) {
    this.#invitees = session.session_invitees;
    this.element.querySelector('.invitees').replaceChildren(...this.#invitees.map((invitee) => this.#invitee(invitee)));
    this.#mark();
  }

  #invitee({ uuid, role, url }) {
    const row = document.querySelector('#invitee').content.firstElementChild.cloneNode(true);
    translate(row);
    Object.assign(row.dataset, { uuid, role });
    row.querySelector('.uuid').textContent = uuid;
    row.querySelector('.role').textContent = t(`role.${role}`);
    row.querySelector('.open').href = url;
    const copy = row.querySelector('.copy-link');
    copy.dataset.url = url;
    copy.onclick = () => this.#act(() => copyLink(copy, url));
    row.querySelector('.remove').onclick = () => this.#act(async () => {
      await manage('remove', { id_session: this.#id, [LISTS[role]]: [uuid] });
      this.#invitees = this.#invitees.filter((other) => other.uuid !== uuid || other.role !== role);
      row.remove();
    });
    return row;
  }

  /** Marks who is connected. */
  #mark() {
    const online = (uuid, role) => (this.#live?.peers ?? []).some((peer) => peer.identity === uuid && peer.role === role);
    for (const row of this.element.querySelectorAll('.invitee')) {
      row.querySelector('.online').hidden = !online(row.dataset.uuid, row.dataset.role);
    }
  }
}

async function copyLink(button, url) {
  try {
    await navigator.clipboard.writeText(url);
  } catch {
    // Without TLS there may be no clipboard: the old way.
    const field = document.createElement('textarea');
    field.value = url;
    document.body.append(field);
    field.select();
    document.execCommand('copy');
    field.remove();
  }
  button.textContent = t('dashboard.copied');
  setTimeout(() => (button.textContent = t('dashboard.copy')), 2000);
}
