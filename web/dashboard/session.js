/** One session on the dashboard. */
import { t, translate } from '../i18n.js';
import { confirmed } from './confirm.js';
import { copyOnClick } from './copy.js';
import { LISTS, Refusal, manage } from './server.js';

export class SessionCard {
  #id;
  #stopped;
  #invitees = [];
  #peers = [];
  /** The people of whom the links were asked last; theirs are shown. */
  #people = null;

  /**
   * @param {number} id
   * @param {() => void} stopped called once the session was stopped here
   */
  constructor(id, stopped) {
    this.#id = id;
    this.#stopped = stopped;
    this.element = document.getElementById('session').content.firstElementChild.cloneNode(true);
    this.element.dataset.sessionId = id;
    translate(this.element);
    this.#listen();
  }

  /** Shows the session as the server now has it. */
  update(live) {
    this.#peers = live.peers;
    const time = new Date(live.session_start_datetime).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
    this.#say('.name', live.session_name);
    this.#say('.facts', `${t('dashboard.since', { time })} · ${t('dashboard.port', { port: live.port })}`);
    this.#say('.peers', connected(live.peers));
    this.#mark();
    const people = JSON.stringify(Object.values(LISTS).map((list) => [...live[list]].sort()));
    if (people === this.#people) return;
    this.#people = people;
    // The list of sessions holds no links; an invitation of nobody gives everybody's.
    this.#manage('invite');
  }

  #listen() {
    confirmed(this.#find('.stop-box'), async () => {
      if (await this.#manage('stop')) this.#stopped();
    });
    this.#find('.invite-form').onsubmit = async (event) => {
      event.preventDefault();
      const { uuid, role } = event.target.elements;
      if (await this.#manage('invite', role.value, uuid.value.trim())) uuid.value = '';
      uuid.focus();
    };
  }

  /** A call of the server, for a person of a role or for nobody. Says what went wrong; tells whether nothing did. */
  async #manage(action, role, uuid) {
    try {
      const session = await manage(action, { id_session: this.#id, ...(role && { [LISTS[role]]: [uuid] }) });
      this.#say('.message', '');
      if (session?.session_invitees) this.#show(session.session_invitees);
      return true;
    } catch (error) {
      this.#say('.message', error instanceof Refusal ? error.message : t('dashboard.offline'));
      return false;
    }
  }

  #show(invitees) {
    if (JSON.stringify(invitees) === JSON.stringify(this.#invitees)) return;
    this.#invitees = invitees;
    this.#find('.invitees').replaceChildren(...invitees.map((invitee) => this.#row(invitee)));
    this.#mark();
  }

  #row({ uuid, role, url }) {
    const row = document.getElementById('invitee').content.firstElementChild.cloneNode(true);
    translate(row);
    Object.assign(row.dataset, { uuid, role });
    row.querySelector('.uuid').textContent = uuid;
    row.querySelector('.role').textContent = t(`role.${role}`);
    row.querySelector('.open').href = url;
    const copy = row.querySelector('.copy-link');
    copy.dataset.url = url;
    copyOnClick(copy, url, row.querySelector('.by-hand'));
    const remove = row.querySelector('.remove');
    remove.onclick = async () => {
      if (!(await this.#manage('remove', role, uuid))) return;
      this.#show(this.#invitees.filter((other) => other.uuid !== uuid || other.role !== role));
      this.#find('.invite-form input').focus();
    };
    for (const action of row.querySelectorAll('.open, .remove')) {
      action.setAttribute('aria-label', t('dashboard.link.of', { action: action.textContent, name: uuid }));
    }
    copy.setAttribute('aria-describedby', (row.querySelector('.uuid').id = `person-${this.#id}-${role}-${uuid}`.replace(/\s/g, '_')));
    return row;
  }

  /** Marks who is connected. */
  #mark() {
    for (const row of this.element.querySelectorAll('.invitee')) {
      const { uuid, role } = row.dataset;
      row.querySelector('.online').hidden = !this.#peers.some((peer) => peer.identity === uuid && peer.role === role);
    }
  }

  #find(selector) {
    return this.element.querySelector(selector);
  }

  /** Sets a text, if it is another: an unchanged one must not be read out each second. */
  #say(selector, words) {
    const element = this.#find(selector);
    if (element.textContent !== words) element.textContent = words;
  }
}

/** Who is connected now, in words; somebody with two pages is named once. */
function connected(peers) {
  if (peers.length === 0) return t('dashboard.absent');
  const names = new Set(peers.map(({ identity, role }) => `${identity ?? t('dashboard.unnamed')} (${t(`role.${role}`)})`));
  return `${t('dashboard.present')}${t('colon')} ${[...names].join(', ')}`;
}
