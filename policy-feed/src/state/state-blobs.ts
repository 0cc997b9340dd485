/**
 * The blobs of a state by name, made only when somebody wants the bytes: one member more must not cost writing out every
 * rule again.
 */
import { type Digest, type PointState, rulesBytes, sliceBytes } from '@edgeward/policy-format';
import type { StoredBlob } from './blob-folder.ts';

export function* stateBlobs(state: PointState): Iterable<StoredBlob> {
  const { head, base, book } = state;
  yield { digest: head.approval.digest, bytes: () => sliceBytes(state.approval.slice) };
  yield { digest: head.rules.digest, bytes: () => rulesBytes(state.rules) };
  if (head.base !== null && base !== null) {
    yield { digest: head.base.approval.digest, bytes: () => sliceBytes(base.approval.slice) };
    yield { digest: head.base.rules.digest, bytes: () => rulesBytes(base.rules) };
  }
  yield { digest: head.members.digest, bytes: () => book.index().bytes };
  for (let number = 0; number < book.pageCount; number += 1) {
    const page = book.page(number);
    yield { digest: page.digest, bytes: () => page.bytes };
  }
}

export function digestsOf(state: PointState): Set<Digest> {
  return new Set([...stateBlobs(state)].map(({ digest }) => digest));
}
