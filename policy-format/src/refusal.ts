import { EdgewardError } from '@edgeward/runtime';
import { MENDS } from './mends.ts';

/** Something that came from a store and is not believed. What is in force stays. */
export function refused(code: string, message: string, cause?: unknown): EdgewardError {
  return new EdgewardError(code, message, {
    mend: MENDS[code] ?? 'What is in force stays. Look at the store, and at what stands between it and this service.',
    ...(cause === undefined ? {} : { cause }),
  });
}
