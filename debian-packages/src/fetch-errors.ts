/**
 * The two ways in which packages are not had: never on this system, or not now.
 */
import { EdgewardError } from '@edgeward/runtime';

export function fetchError(message: string, mend: string, cause?: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_PACKAGES_FETCH', message, { mend, cause });
}

export function unsupportedError(title: string, reason: string): EdgewardError {
  return new EdgewardError('EDW_ERR_PACKAGES_UNSUPPORTED', `fetching ${title}: ${reason}`, {
    mend: 'Install the program yourself, and see that it is on PATH.',
  });
}
