/**
 * What a participant's dashboard makes of what the server says: without a page, a socket or a clock,
 * so that it can be tested alone. Source: OpenTera's own dashboard.
 */

/** The close code of a server that has logged the participant out. */
export const LOGGED_OUT = 4000;

const TYPE = 'type.googleapis.com/opentera.protobuf.';

/**
 * What a message of the server's websocket means: `{ show: url }` for an invitation, `{ over: true }`
 * when the session has ended for this participant, null for everything else. Only the first event of
 * a message counts.
 * @param {string} text
 * @param {string} uuid the participant's
 */
export function told(text, uuid) {
  const event = firstEvent(text);
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

function firstEvent(text) {
  try {
    return JSON.parse(text)?.message?.events?.[0] ?? null;
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
