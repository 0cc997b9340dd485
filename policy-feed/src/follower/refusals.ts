/**
 * Which head was refused last, and when to look at it again: what names a rules document of 60 MB is not fetched and
 * verified every ten seconds because it is still wrong. Another head is looked at at once.
 */
import { type Digest, digestOfPayload, type SignedDocument } from '@edgeward/policy-format';
import { type Backoff, backoff, type Clock } from '@edgeward/runtime';

export interface Refusals {
  note(head: SignedDocument): void;
  isTooSoon(head: SignedDocument): boolean;
  forget(): void;
}

const BASE_MS = 1_000;
const MAX_MS = 60_000;

export function createRefusals(clock: Clock, random: () => number): Refusals {
  let last: { digest: Digest; pauses: Backoff; notBeforeMs: number } | null = null;
  return {
    note(head) {
      const digest = digestOfPayload(head);
      const pauses = last?.digest === digest ? last.pauses : backoff({ baseMs: BASE_MS, maxMs: MAX_MS, random });
      last = { digest, pauses, notBeforeMs: clock.now() + pauses.nextMs() };
    },
    isTooSoon: (head) => last !== null && clock.now() < last.notBeforeMs && digestOfPayload(head) === last.digest,
    forget() {
      last = null;
    },
  };
}
