import type { ProofJudged, ProofOutcome, ProofQuestion } from '@edgeward/nginx-njs';
import { type CompiledObject, type CompiledPolicy, decide, parsePort, type Verdict, viewOf } from '@edgeward/policy';
import { proofFlow } from './proof-flows.ts';

/**
 * What one synthetic flow says: that the point judged it as this policy does, or how not. The policy is the one that the
 * point says it judged by, so that a new revision on its way is no failure.
 */
export type ProofFinding = { state: 'proven'; revision: number } | ProofFailure;

export interface ProofFailure {
  state: 'failed';
  kind: FailureKind;
  /** What was seen, and where. */
  words: string;
  /** Whom else it holds for: nobody, whoever is behind the same listener, all of the point. */
  holdsFor: 'object' | 'listener' | 'point';
}

/**
 * `not-refused`: the request met no hook that refused it. `other-object`: the server there is another object. `other-policy`:
 * it judges by a policy that this service did not give. `wrong-verdict`: as its policy does not say. `no-answer`: the listener
 * or the push endpoint is away.
 */
export type FailureKind = (typeof FAILURE_KINDS)[number];

export const FAILURE_KINDS = ['not-refused', 'wrong-verdict', 'other-object', 'other-policy', 'no-answer'] as const;

export interface Proved {
  object: CompiledObject;
  question: ProofQuestion;
  url: string;
}

export function findingOf(
  outcome: ProofOutcome,
  proved: Proved,
  policyOf: (hash: string) => CompiledPolicy | null,
): ProofFinding {
  const { object, url } = proved;
  const failed = (kind: FailureKind, words: string, holdsFor: ProofFailure['holdsFor'] = 'object'): ProofFailure => ({
    state: 'failed',
    kind,
    words,
    holdsFor,
  });
  if (outcome.state === 'unasked') return failed('no-answer', outcome.cause, outcome.isAway ? 'point' : 'object');
  if (outcome.state === 'silent') return failed('no-answer', `${url} gave no answer: ${outcome.cause}`, 'listener');
  if (outcome.state === 'passed') return failed('not-refused', passedWords(outcome, url));
  const { judged } = outcome;
  if (judged.to !== object.bind)
    return failed('other-object', `the server at ${url} is ${judged.to === '' ? 'of no object' : judged.to}`);
  if (!lists(object, judged.port))
    return failed(
      'other-object',
      `the server at ${url} is on ${judged.port}, which ${object.name} does not list: it lets nobody in`,
    );
  if (judged.reason === 'no-policy') return failed('wrong-verdict', 'NGINX holds no policy');
  if (judged.reason === 'internal-error') return failed('wrong-verdict', 'the hook fails, and denies everybody');
  const policy = policyOf(judged.hash);
  const known = policy?.objects.find(({ name }) => name === object.name) ?? null;
  if (policy === null || known === null)
    return failed('other-policy', `it judges by revision ${judged.revision}, which this service did not give`);
  return compare(judged, proved, policy, known);
}

function lists({ ports }: CompiledObject, text: string): boolean {
  const port = parsePort(text);
  if (port === null) return false;
  return ports.some(({ protocol, from, to }) => protocol === port.protocol && from <= port.number && port.number <= to);
}

function passedWords({ status, judged }: { status: number; judged: ProofJudged | null }, url: string): string {
  const what = `a request to ${url} that the hook must refuse was answered ${status}`;
  return judged === null ? `${what}, and no hook ran` : `${what}, although the hook ran`;
}

function compare(
  judged: ProofJudged,
  { question, object }: Proved,
  policy: CompiledPolicy,
  known: CompiledObject,
): ProofFinding {
  const view = viewOf({ ...policy, objects: [known] });
  const expected = decide(view, proofFlow(object.name, judged.port, question));
  const equal =
    judged.verdict === expected.verdict &&
    judged.reason === expected.reason &&
    judged.rule === expected.rule &&
    judged.mode === known.mode;
  if (equal) return { state: 'proven', revision: judged.revision };
  const { from, method, path } = question;
  const flow = `${from} → ${object.name} ${judged.port} ${method} ${path}`;
  const words = `${flow} must be ${verdictWords(expected)}, and was ${verdictWords(judged)}`;
  const mode = judged.mode === known.mode ? '' : `; its mode there is ${judged.mode}, and must be ${known.mode}`;
  return { state: 'failed', kind: 'wrong-verdict', words: `${words}${mode}`, holdsFor: 'object' };
}

function verdictWords({ verdict, reason, rule }: Pick<Verdict, 'verdict' | 'reason' | 'rule'>): string {
  return `${verdict === 'allow' ? 'allowed' : 'denied'} (${rule === null ? reason : `${reason} ${rule}`})`;
}
