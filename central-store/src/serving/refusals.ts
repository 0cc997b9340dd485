/** What the store says no to at its door, each with its code and its mend, and the status of what is thrown behind it. */
import { EdgewardError, failure, type HttpFailure } from '@edgeward/runtime';

type DoorCode = keyof typeof MENDS;

const MENDS = {
  EDW_ERR_STORE_IDENTITY:
    'Use a certificate whose subject alternative names hold urn:edgeward:point:NAME or urn:edgeward:person:NAME.',
  EDW_ERR_STORE_RATE:
    'Ask less often; Retry-After says when. A service waits with `Prefer: wait` and does not ask in a loop.',
  EDW_ERR_STORE_NO_POINT: 'Publish a version that has this point, or name another one.',
  EDW_ERR_STORE_NO_BLOB: 'Ask for the head again, and for what it names.',
  EDW_ERR_STORE_NO_ROOT: 'Ask for a version that there is; /v1/roots/newest names the newest.',
  EDW_ERR_STORE_EPOCH: 'Take over the newest head and the trust root that it names.',
  EDW_ERR_STORE_REQUEST: 'Correct the request; docs/store-openapi.json describes every one.',
} as const;

export function doorError(code: DoorCode, message: string): EdgewardError {
  return new EdgewardError(code, message, { mend: MENDS[code] });
}

export function doorFailure(status: number, code: DoorCode, message: string): HttpFailure {
  return failure(status, code, message, MENDS[code]);
}

/** The words of a path that is not served: what another point has does not exist. */
export function notThere(path: string): HttpFailure {
  return failure(404, 'EDW_ERR_HTTP_NOT_FOUND', `nothing is served at ${path}`, 'Check the path.');
}

const STATUS_OF: Record<string, number> = {
  EDW_ERR_STORE_IDENTITY: 403,
  EDW_ERR_STORE_ROLE: 403,
  EDW_ERR_PROPOSAL_OWN: 403,
  EDW_ERR_PROPOSAL_PROPOSER: 403,
  EDW_ERR_STORE_NO_POINT: 404,
  EDW_ERR_STORE_NO_BLOB: 404,
  EDW_ERR_STORE_NO_ROOT: 404,
  EDW_ERR_PROPOSAL_UNKNOWN: 404,
  EDW_ERR_VERSION_UNKNOWN: 404,
  EDW_ERR_NOTHING_HELD: 404,
  EDW_ERR_STORE_FOLLOW_UP: 404,
  EDW_ERR_STORE_EPOCH: 409,
  EDW_ERR_HELD_OTHER: 409,
  EDW_ERR_PROPOSAL_CLOSED: 409,
  EDW_ERR_STORE_OUTDATED: 409,
  EDW_ERR_PROPOSAL_LIMIT: 409,
  EDW_ERR_ROLLOUT_STATE: 409,
  EDW_ERR_ROLLOUT_NO_WAY_BACK: 409,
  EDW_ERR_STORE_RATE: 429,
  EDW_ERR_STORE_RECORD: 503,
  EDW_ERR_STATE_WRITE: 503,
};

/** What people send is read by several parts of the store: their refusals of it are the sender's to mend. */
const SENDERS = /^EDW_ERR_(STORE_REQUEST|PROPOSAL_|BUNDLE|FORMAT_|ROOT_|APPROVAL_|GRANT|SLICE)/;

export function statusOf({ code }: EdgewardError): number {
  return STATUS_OF[code] ?? (SENDERS.test(code) ? 400 : 500);
}
