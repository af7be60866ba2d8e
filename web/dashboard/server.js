/** What the dashboard asks of the server. Addresses are relative to `/rehab/`. */

/** An answer that says why not. */
export class Refusal extends Error {}

async function answer(response) {
  if (response.status === 401) location.reload(); // the login page stands at the same address
  const body = await response.json();
  if (!response.ok) throw new Refusal(body.error_text);
  return body;
}

/** The running sessions with their peers; no links. */
export async function sessions() {
  return (await answer(await fetch('../api/sessions', { cache: 'no-store' }))).sessions;
}

/** A `session_manage` call. */
export async function manage(action, members) {
  const body = JSON.stringify({ session_manage: { action, ...members } });
  const headers = { 'Content-Type': 'application/json' };
  return (await answer(await fetch('../rpc/session_manage', { method: 'POST', headers, body }))).session;
}

/** The name of a role's list in a call. */
export const LISTS = { user: 'session_users', participant: 'session_participants', device: 'session_devices' };
