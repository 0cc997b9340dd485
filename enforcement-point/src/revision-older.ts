/** The one refusal that every driver shares: a revision only grows, so an older one is a mistake or an attack. */
import { EdgewardError } from '@edgeward/runtime';

/** EDW_ERR_REVISION_OLDER. */
export function revisionOlder(point: string, offered: number, held: number): EdgewardError {
  return new EdgewardError(
    'EDW_ERR_REVISION_OLDER',
    `applying revision ${offered} to ${point}: it holds revision ${held}`,
    {
      mend: 'Let one sync service with one state folder push to this point.',
    },
  );
}
