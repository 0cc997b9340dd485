import type { PointReport, SignedDocument } from '@edgeward/policy-format';
import type { Clock } from '@edgeward/runtime';
import type { Test } from 'tap';
import type { Transport } from '../../src/index.ts';

/** A far side, and the transport that leads to it. Whoever opens one closes it when the claim is over. */
export interface Stage {
  transport: Transport;
  /** The first trust root, which is the newest too. */
  pinned: SignedDocument;
  /** It has a head, a rules document of its own and a few members. */
  point: string;
  /** It could be one, and there is nothing for it. */
  unknownPoint: string;
  /** Other members: another state of the point, at the far side when it resolves. */
  change(): Promise<void>;
  /** Another version of what people decided. */
  decide(): Promise<void>;
  /** Of the point, as the far side has it now. */
  head(): SignedDocument;
  /** In the time of the far side. */
  clock: Clock;
  /** The far side is away. */
  cut(): Promise<void>;
  /** It is back at the same place, with what it had and what was changed meanwhile. Ends misbehaviour too. */
  heal(): Promise<void>;
  /** Other bytes under this name at the far side; null: none. */
  tamper(digest: string, bytes: Uint8Array | null): Promise<void>;
  /** What has arrived; null where the way leads one way only. */
  reports: (() => readonly PointReport[]) | null;
  /** From now on the far side tells nobody that anything is new, and answers no wait before its end. */
  hush?: () => Promise<void>;
  /** Ways to misbehave, by name: from then on no head can be had. */
  misbehave?: Record<string, () => Promise<void>>;
}

/** `lacks` says what a stage has no means for, or null. */
export type MakeClaim = (
  text: string,
  run: (t: Test, stage: Stage) => Promise<void>,
  lacks?: (stage: Stage) => string | null,
) => Promise<unknown>;
