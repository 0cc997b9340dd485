import type { ProofPlace } from './proof-address.ts';
import type { FailureKind, ProofFailure } from './proof-finding.ts';

/**
 * How an object stands, from what its last proofs said. Pure: what was found goes in, what is shown comes out.
 *
 * `proven`: its last proof succeeded. `failed`: what must be refused was not, or a verdict was wrong. `stale`: it was proven
 * once, and by now nobody answers. `unproven`: never, or it is not to be.
 */
export interface ObjectProof {
  object: string;
  state: ProofState;
  /** Why it is not proven, in words; null where it is. */
  why: string | null;
  kind: FailureKind | null;
  /** What the last proof that succeeded had: a flow that is let in, one that is kept out, or one of them alone. */
  flows: ('allow' | 'deny')[];
  /** When it succeeded; also of an earlier process. */
  provenAtMs: number | null;
  /** Which revision it was judged by. */
  revision: number | null;
}

export const PROOF_STATES = ['proven', 'failed', 'stale', 'unproven'] as const;

export type ProofState = (typeof PROOF_STATES)[number];

/** What is kept of an object over restarts. */
export interface LastProof {
  /** Where it succeeded: elsewhere it says nothing. */
  url: string;
  provenAtMs: number;
  revision: number;
  flows: ('allow' | 'deny')[];
}

export interface Known {
  last: LastProof | null;
  /** Of the newest attempt; null: it succeeded, or there was none yet. */
  failure: ProofFailure | null;
}

/** How many times the interval may pass before what was proven is old; never less than a minute, which a round may take. */
const OLD_AFTER = 3;
const OLD_AFTER_AT_LEAST_MS = 60_000;

export function standing(
  object: string,
  place: ProofPlace,
  known: Known,
  at: { nowMs: number; everyMs: number },
): ObjectProof {
  const { last, failure } = known;
  const shown = (state: ProofState, why: string | null): ObjectProof => ({
    object,
    state,
    why,
    kind: failure?.kind ?? null,
    flows: last?.flows ?? [],
    provenAtMs: last?.provenAtMs ?? null,
    revision: last?.revision ?? null,
  });
  if (place.state === 'none') return shown('unproven', place.why);
  if (failure !== null) return shown(stateOf(place, known, failure), failure.words + hint(place, known, object));
  if (last === null) return shown('unproven', 'not asked yet');
  if (at.nowMs - last.provenAtMs > Math.max(OLD_AFTER * at.everyMs, OLD_AFTER_AT_LEAST_MS))
    return shown('stale', 'no proof since');
  return shown('proven', null);
}

function stateOf(place: ProofPlace, { last }: Known, failure: ProofFailure): ProofState {
  if (failure.kind === 'no-answer') return last === null ? 'unproven' : 'stale';
  return isMeaningful(place, last) ? 'failed' : 'unproven';
}

/** At an address that was guessed, something else may always have answered: until it was proven there once. */
function isMeaningful(place: ProofPlace, last: LastProof | null): boolean {
  return place.state === 'given' || (place.state === 'guessed' && last?.url === place.at.url);
}

function hint(place: ProofPlace, { last, failure }: Known, object: string): string {
  // Where the listener is has nothing to do with it while the question can't be laid out.
  const isOfAddress = failure?.kind !== 'no-answer' || failure.holdsFor === 'listener';
  if (place.state !== 'guessed' || !isOfAddress || isMeaningful(place, last)) return '';
  return `; the address is a guess: name it in proof.objects.${object}.url of this point`;
}
