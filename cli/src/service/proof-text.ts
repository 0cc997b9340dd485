import { formatAge } from '../frame/duration.ts';
import type { ShownPoint, ShownProof } from './service-answers.ts';

/** What is shown of proofs: one word of each point, and what is wrong, with equal reasons told once. */

/** `12 s ago`: the oldest proof of all its objects; `2 of 3` where some were never proven. */
export function provenText({ proofs }: ShownPoint, nowMs: number): string {
  if (proofs.length === 0) return '-';
  const inState = (state: string): ShownProof[] => proofs.filter((proof) => proof.state === state);
  const [failed, stale, proven] = [inState('failed'), inState('stale'), inState('proven')];
  if (failed.length > 0) return `FAILED ${failed.length} of ${proofs.length}`;
  if (stale.length > 0) return `stale, ${formatAge(oldest(stale), nowMs)}`;
  if (proven.length === 0) return 'unproven';
  if (proven.length < proofs.length) return `${proven.length} of ${proofs.length}`;
  return formatAge(oldest(proven), nowMs);
}

function oldest(proofs: readonly ShownProof[]): number | null {
  const times = proofs.flatMap(({ provenAtMs }) => provenAtMs ?? []);
  return times.length === 0 ? null : Math.min(...times);
}

export interface ProofProblem {
  tone: 'error' | 'warning';
  what: string;
  mend: string;
}

const MENDS: Record<string, string> = {
  failed:
    'The point may let in whom it should not. Look whether the server still includes protect.conf, first of all in it: docs/proof.md.',
  stale: 'What the point holds it keeps. Look at its listener: nobody answers there any more.',
  unproven: 'Say in edgeward.yaml where the listener is, or that it is not to be proven: docs/proof.md.',
};

const NAMED = 5;

/** What nobody can prove is said in the table alone. */
export function proofProblems({ point, kind, proofs }: ShownPoint): ProofProblem[] {
  const groups = new Map<string, ShownProof[]>();
  for (const proof of proofs) {
    const isWorthALine = proof.state !== 'proven' && (proof.state !== 'unproven' || kind === 'nginx');
    if (!isWorthALine) continue;
    const key = `${proof.state} ${proof.why}`;
    groups.set(key, [...(groups.get(key) ?? []), proof]);
  }
  return [...groups.values()].flatMap((group) => problemOf(point, group));
}

function problemOf(point: string, group: readonly ShownProof[]): ProofProblem[] {
  const [first] = group;
  if (first === undefined || /^(off|protocol: tcp)\b/.test(first.why ?? '')) return [];
  const more = group.length > NAMED ? ` and ${group.length - NAMED} more` : '';
  const names = `${group
    .slice(0, NAMED)
    .map(({ object }) => object)
    .join(', ')}${more}`;
  const word = first.state === 'failed' ? 'PROOF FAILED' : first.state === 'stale' ? 'proof is stale' : 'unproven';
  const what = `${point}  ${names}  ${word}: ${first.why ?? ''}`;
  return [{ tone: first.state === 'failed' ? 'error' : 'warning', what, mend: MENDS[first.state] ?? '' }];
}
