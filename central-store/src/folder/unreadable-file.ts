import { EdgewardError, messageOf, systemCodeOf } from '@edgeward/runtime';

/** A file of the store that is missing, or not as the store writes it: nothing is guessed in its place. EDW_ERR_STORE_FOLDER. */
export function unreadable(path: string, thrown: unknown): EdgewardError {
  const why = systemCodeOf(thrown) === 'ENOENT' ? 'it is missing' : messageOf(thrown);
  return new EdgewardError('EDW_ERR_STORE_FOLDER', `reading ${path}: ${why}`, {
    mend: 'Somebody or something changed it. Bring the file back from a backup.',
    cause: thrown,
  });
}
