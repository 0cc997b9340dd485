import { randomBytes } from 'node:crypto';
import { type Mode, parseAddress, type Reason } from '@edgeward/policy';
import { EdgewardError, messageOf } from '@edgeward/runtime';
import { type Bounds, type MarkedAnswer, type ProofAddress, sendMarked } from './marked-request.ts';
import type { PushClient } from './push-client.ts';

/**
 * One proof: a question is laid into NGINX's zone, a marked request goes to the listener that clients use, and what the
 * hook said of it is fetched. Both ends are asked, because neither is enough: the zone says that the hook ran and what it
 * judged, and the answer that came to this client, with the reference that only the hook knew, that it was refused by the
 * way that denied requests are refused by. Never decides whether a verdict is the right one.
 */
export interface ProofQuestion {
  /** The synthetic source. */
  from: string;
  method: string;
  path: string;
  host: string | null;
}

export type { ProofAddress } from './marked-request.ts';

/** The verdict on the synthetic flow, as the server that was reached gave it. */
export interface ProofJudged {
  /** `$edgeward_server`. */
  to: string;
  /** `tcp/443`, as `$edgeward_port` or the listener says. */
  port: string;
  mode: Mode | null;
  /** Of the policy in force. */
  hash: string;
  verdict: 'allow' | 'deny';
  reason: Reason;
  rule: string | null;
  revision: number;
}

export type ProofOutcome =
  /** The hook judged, and the request was refused. */
  | { state: 'judged'; judged: ProofJudged }
  /** Something answered, and the hook did not run, or did not refuse. */
  | { state: 'passed'; status: number; judged: ProofJudged | null }
  /** No answer from the listener. */
  | { state: 'silent'; cause: string }
  /** The question could not be laid out, or its answer not be fetched. `isAway`: nor could any other. */
  | { state: 'unasked'; isAway: boolean; cause: string };

/** There are sixteen places, and mostly none of them is taken. */
const MOST_NAMES = 16;

type Fetched = { state: 'answered'; answer: ProofJudged & { ref: string } } | { state: 'waiting' | 'unknown' };

export async function proveOnce(
  client: PushClient,
  question: ProofQuestion,
  at: ProofAddress,
  bounds: Bounds,
): Promise<ProofOutcome> {
  try {
    const id = await layOut(client, question);
    if (id === null) return { state: 'unasked', isAway: false, cause: 'every place for a question is taken' };
    const answer = await sendMarked(at, id, bounds);
    return outcomeOf(answer, (await client.proven(id)) as Fetched);
  } catch (thrown) {
    return unasked(thrown);
  }
}

function unasked(thrown: unknown): ProofOutcome {
  const code = thrown instanceof EdgewardError ? thrown.code : null;
  // A module from before proofs takes the call for one that writes, and these have to name the zone.
  const isOlder = code === 'EDW_ERR_POINT_RESTARTED';
  const cause = isOlder ? OLDER : messageOf(thrown);
  return { state: 'unasked', isAway: isOlder || code === 'EDW_ERR_POINT_UNREACHABLE', cause };
}

const OLDER = 'its edgeward.js is older than this service: run `edgeward nginx snippets` again, and reload NGINX';

/** The name that it was given; null where there is no room, which other services take up. */
async function layOut(client: PushClient, { from, ...request }: ProofQuestion): Promise<string | null> {
  for (let attempt = 0; attempt < MOST_NAMES; attempt += 1) {
    const id = randomBytes(16).toString('hex');
    if (await client.prove({ id, peer: parseAddress(from), ...request })) return id;
  }
  return null;
}

function outcomeOf(answer: MarkedAnswer, fetched: Fetched): ProofOutcome {
  const judged = fetched.state === 'answered' ? judgedOf(fetched.answer) : null;
  if (answer.state === 'silent') return answer;
  if (judged === null || fetched.state !== 'answered') return { state: 'passed', status: answer.status, judged: null };
  // An upstream never learns the reference: only protect.conf writes it into a body.
  const refused = answer.status === 403 && answer.body.includes(fetched.answer.ref);
  return refused ? { state: 'judged', judged } : { state: 'passed', status: answer.status, judged };
}

function judgedOf({ to, port, mode, hash, verdict, reason, rule, revision }: ProofJudged): ProofJudged {
  return { to, port, mode, hash, verdict, reason, rule, revision };
}
