/**
 * One signed head of a store, verified for a point whose follower is elsewhere: what a host does with the evidence that its sync
 * service hands on. The service is a mirror like any other: nothing is believed for coming from there. Roots, floor and what was
 * witnessed are kept as a follower keeps them, so that no earlier state is believed again. Between two calls nothing stays in
 * memory.
 */
import { type PointState, type SignedDocument, verifyFirstRoot } from '@edgeward/policy-format';
import type { Clock, Logger } from '@edgeward/runtime';
import { createTakeover } from '../follower/takeover.ts';
import { openPointFolder } from '../state/point-folder.ts';
import type { Transport } from '../transport.ts';

export interface VerificationOptions {
  /** What the head has to be for. */
  point: string;
  /** The trust root that was brought here by hand. */
  pinnedRoot: SignedDocument;
  /** Of this point alone; made where it is missing. */
  folder: string;
  head: SignedDocument;
  /** Where what the head names is to be had. */
  source: Pick<Transport, 'blob' | 'root'>;
  clock: Clock;
  logger: Logger;
  signal: AbortSignal;
}

/**
 * The state that the head names, kept on disk. Throws `Nacked` for what is not believed, what `verifyFirstRoot` throws,
 * EDW_ERR_STATE_WRITE, EDW_ERR_STATE_IN_USE, and what the source throws.
 */
export async function verifyState(options: VerificationOptions): Promise<PointState> {
  const { point, source, clock, logger, signal } = options;
  const pinnedRoot = verifyFirstRoot(options.pinnedRoot);
  const folder = await openPointFolder(options.folder);
  try {
    const onState = (): void => {};
    const takeover = createTakeover({ point, transport: source, folder, pinnedRoot, clock, logger, onState });
    await takeover.restore();
    await takeover.head(options.head, signal);
    const { state } = takeover.held();
    if (state === null) throw new RangeError('a head was taken over, and there is no state');
    return state;
  } finally {
    await folder.close();
  }
}
