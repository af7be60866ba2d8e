/**
 * What a participant's dashboard and a session's lobby make of what the server says: without a page, a
 * socket or a clock, so that it can be tested alone. Source: OpenTera's own dashboard.
 */

/** The close code of a server that has logged the participant out. */
const LOGGED_OUT = 4000;

/** The status of a server that is asked too often. */
const TOO_MANY = 429;

const TYPE = 'type.googleapis.com/opentera.protobuf.';

/**
 * What the answer to a login means: `{ listen: url }` for the server's websocket; `{ logOut: true }` for
 * who is online already, in another window or before a lost connection; `{ again: true }` when the server
 * cannot answer now; `{ error: text }` when it will not.
 * @param {number} status
 * @param {string} text
 */
export function answered(status, text) {
  if (status >= 500 || status === TOO_MANY) return { again: true };
  if (status !== 200) return { error: reason(status, text) };
  const answer = json(text);
  if (typeof answer !== 'object' || answer === null) return { again: true };
  return answer.websocket_url ? { listen: answer.websocket_url } : { logOut: true };
}

/** What the end of the server's websocket means: `{ bye: true }` after a logout, else `{ again: true }`. */
export const closed = (code) => (code === LOGGED_OUT ? { bye: true } : { again: true });

/**
 * Why the server did not do something, as a person may read it. It says so in a JSON string or a member
 * of an object; a proxy's page says no more than its status does.
 */
function reason(status, text) {
  const answer = json(text);
  const words = typeof answer === 'string' ? answer : answer?.error_text ?? answer?.message;
  return typeof words === 'string' && words.trim() ? words.trim() : String(status);
}

/**
 * What a message of the server's websocket means: `{ show: url }` for an invitation, `{ over: true }`
 * when the session has ended for this participant, null for everything else. Only the first event of
 * a message counts.
 * @param {string} text
 * @param {string} uuid the participant's
 */
export function told(text, uuid) {
  const event = json(text)?.message?.events?.[0];
  switch (event?.['@type']) {
    case `${TYPE}JoinSessionEvent`:
      return typeof event.sessionUrl === 'string' && event.sessionUrl ? { show: event.sessionUrl } : null;
    case `${TYPE}StopSessionEvent`:
      return { over: true };
    case `${TYPE}LeaveSessionEvent`:
      return event.leavingParticipants?.includes?.(uuid) ? { over: true } : null;
    default:
      return null;
  }
}

/**
 * What the answer to a start means: `{ failed: why }`, or `{ url }` for the user who ordered it: their
 * own, else that of all users, with their name; null if the answer has none.
 * @param {number} status
 * @param {string} text
 * @param {{ userUuid?: string, userName?: string }} user
 */
export function started(status, text, { userUuid, userName }) {
  const reply = status === 200 ? json(text) : null;
  if (reply?.status !== 'started') return { failed: reason(status, text) };
  const { session_invitees: invitees, session_url_users: users } = reply.session ?? {};
  const url = invitees?.find?.(({ uuid }) => uuid === userUuid)?.url ?? users ?? null;
  return { url: url && userName ? `${url}&${new URLSearchParams({ name: userName })}` : url };
}

function json(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The URL of a session for its frame: the invitation's, with who comes. */
export function sessionAddress(url, { participantName = '', participantUuid = '', source = '' }) {
  const who = new URLSearchParams({ name: participantName, uuid: participantUuid, source });
  return `${url}&${who}`;
}

/** The address of one of our own pages, with the token. */
export function pageAddress(page, { token, ...values }) {
  return `./${page}?${new URLSearchParams({ token, ...values })}`;
}

/** The pauses between tries to log in again, in milliseconds: two seconds, then longer, at most 30 s. */
export const pauseAfter = (failures) => Math.min(2000 * 1.5 ** failures, 30_000);
