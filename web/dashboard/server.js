/** What the dashboard asks of the server. Addresses are relative to `/rehab/`. */

/** The name of a role's list in a call. */
export const LISTS = { user: 'session_users', participant: 'session_participants', device: 'session_devices' };

/** An answer in which the server says why not. Its message is for the user. */
export class Refusal extends Error {}

/** The running sessions with their peers; no links. */
export async function sessions() {
  return (await ask('../api/sessions', { cache: 'no-store' })).sessions;
}

/** A `session_manage` call; the session as it then is, with its links. */
export async function manage(action, members) {
  const body = JSON.stringify({ session_manage: { action, ...members } });
  const headers = { 'Content-Type': 'application/json' };
  return (await ask('../rpc/session_manage', { method: 'POST', headers, body })).session;
}

async function ask(url, options) {
  const response = await fetch(url, options);
  // Signed out: the login page stands at our own address.
  if (response.status === 401) location.reload();
  const body = await response.json();
  if (!response.ok) throw new Refusal(body.error_text);
  return body;
}
