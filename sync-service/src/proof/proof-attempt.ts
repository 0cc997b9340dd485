import type { NginxPoint, ProofAddress } from '@edgeward/nginx-njs';
import type { CompiledObject, CompiledPolicy } from '@edgeward/policy';
import { findingOf, type ProofFailure } from './proof-finding.ts';
import { type ProofFlows, proofFlows } from './proof-flows.ts';

/**
 * One attempt at one object: the flow that must be kept out, then the one that must be let in. Both are chosen for the port
 * that the server of the object says it is on; until it has said so, for the first one of the object.
 */
export interface AttemptOptions {
  point: Pick<NginxPoint, 'prove'>;
  /** In force at the point, as far as anybody knows. */
  policy: CompiledPolicy;
  object: CompiledObject;
  at: ProofAddress;
  /** What was learnt by earlier attempts; changed here. */
  entry: Attempted;
  policyOf(hash: string): CompiledPolicy | null;
  signal: AbortSignal;
}

export interface Attempted {
  port: string | null;
  /** The flows for this object and port: choosing them anew each time would cost more than proving. */
  chosen: { key: string; flows: ProofFlows } | null;
}

export type Attempt = ProofFailure | { state: 'proven'; revision: number; flows: ('allow' | 'deny')[] };

export function unattempted(): Attempted {
  return { port: null, chosen: null };
}

export async function attempt(options: AttemptOptions): Promise<Attempt> {
  const first = await attemptAt(options);
  // The server is on another port than was thought: what must be let in may be something else there.
  return first === 'other-port' ? await attemptKnowing(options) : first;
}

async function attemptKnowing(options: AttemptOptions): Promise<Attempt> {
  const second = await attemptAt(options);
  if (second !== 'other-port') return second;
  return {
    state: 'failed',
    kind: 'other-object',
    words: `servers on different ports answer at ${options.at.url}`,
    holdsFor: 'object',
  };
}

async function attemptAt({
  point,
  policy,
  object,
  at,
  entry,
  policyOf,
  signal,
}: AttemptOptions): Promise<Attempt | 'other-port'> {
  const port = portOf(entry, object);
  const flows = flowsOf(entry, policy, object, port);
  const had: ('allow' | 'deny')[] = [];
  let revision = 0;
  for (const kind of ['deny', 'allow'] as const) {
    const question = flows[kind];
    if (question === null) continue;
    const outcome = await point.prove(question, at, signal);
    const finding = findingOf(outcome, { object, question, url: at.url }, policyOf);
    if (finding.state === 'failed') return finding;
    if (outcome.state === 'judged' && outcome.judged.port !== port) {
      entry.port = outcome.judged.port;
      return 'other-port';
    }
    had.unshift(kind);
    revision = finding.revision;
  }
  if (had.length > 0) return { state: 'proven', revision, flows: had };
  return { state: 'failed', kind: 'no-answer', words: 'there is no flow that could be tried', holdsFor: 'object' };
}

function portOf({ port }: Attempted, { ports }: CompiledObject): string {
  return port ?? `tcp/${ports.find(({ protocol }) => protocol === 'tcp')?.from ?? 0}`;
}

function flowsOf(entry: Attempted, policy: CompiledPolicy, object: CompiledObject, port: string): ProofFlows {
  const key = `${object.hash} ${port}`;
  if (entry.chosen?.key === key) return entry.chosen.flows;
  const flows = proofFlows(policy, object, port);
  entry.chosen = { key, flows };
  return flows;
}
