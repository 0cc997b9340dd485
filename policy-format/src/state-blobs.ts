import type { Digest } from './digest.ts';
import { type PointState, sliceBytes } from './point-state.ts';
import { rulesBytes } from './rules-document.ts';

/** A blob that the head of a state names. `bytes` makes it, each time it is called. */
export interface StateBlob {
  digest: Digest;
  bytes(): Uint8Array;
}

/**
 * The blobs of a state by name, made only when somebody wants the bytes: one member more must not cost writing out every
 * rule again.
 */
export function* stateBlobs(state: PointState): Iterable<StateBlob> {
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
