import { EdgewardError } from '@edgeward/runtime';
import type { Nack, NackStage } from './point-report.ts';

/** Something from a store that was not taken over, and at which step. What is in force stays. */
export class Nacked extends EdgewardError {
  readonly stage: NackStage;

  constructor(stage: NackStage, cause: EdgewardError) {
    super(cause.code, cause.message, { mend: cause.mend, cause });
    this.name = 'Nacked';
    this.stage = stage;
  }
}

/** Does one step; whatever is refused in it is refused at this stage. A fault of ours stays what it is. */
export async function at<T>(stage: NackStage, step: () => T | Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (cause) {
    if (cause instanceof EdgewardError && !(cause instanceof Nacked)) throw new Nacked(stage, cause);
    throw cause;
  }
}

/** As a report tells it; `revision` is that of the head, 0 where it could not be read. */
export function nackOf({ stage, code, message }: Nacked, revision: number): Nack {
  return { revision, stage, code, message };
}
