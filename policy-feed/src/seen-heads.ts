/**
 * The newest head that was given for each point, by a tag of the transport's own (an ETag, a digest). It counts only while
 * the caller holds the state that it names: a head that was refused has to be given again.
 */
import type { Cursor, SignedDocument } from '@edgeward/policy-format';
import { cursorIn, isSameState } from './documents.ts';

export interface SeenHeads {
  /** The tag of what the caller holds, or null. */
  tagOf(point: string, known: Cursor | null): string | null;
  saw(point: string, tag: string | null, head: SignedDocument): void;
}

export function createSeenHeads(): SeenHeads {
  const seen = new Map<string, { tag: string; cursor: Cursor }>();
  return {
    tagOf(point, known) {
      const last = seen.get(point);
      return known !== null && last !== undefined && isSameState(last.cursor, known) ? last.tag : null;
    },
    saw(point, tag, head) {
      const cursor = cursorIn(head);
      if (tag === null || cursor === null) seen.delete(point);
      else seen.set(point, { tag, cursor });
    },
  };
}
