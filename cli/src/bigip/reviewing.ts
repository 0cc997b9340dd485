/** Opens a point for one question and gives its tokens back, however the question ends. */
import { readFile } from 'node:fs/promises';
import { type BigipReview, createBigipReview } from '@edgeward/f5-irules';
import { createLogger, EdgewardError, messageOf } from '@edgeward/runtime';
import type { BigipConfig } from '@edgeward/sync-service';
import type { Context } from '../frame/command.ts';
import { withProgress } from '../frame/progress.ts';

export async function reviewing<T>(
  context: Context,
  bigip: BigipConfig,
  says: () => string,
  work: (review: BigipReview) => Promise<T>,
): Promise<T> {
  const { name, urls, user, passwordFile, caFile, syncOthersChanges } = bigip;
  const ca = caFile === null ? {} : { ca: await readAuthority(name, caFile) };
  // What goes wrong is thrown; a log would stand between the lines of the answer.
  const logger = createLogger({ level: 'silent' });
  const review = createBigipReview({ name, urls, user, passwordFile, ...ca, syncOthersChanges, logger });
  try {
    return await withProgress(context.err, says, () => work(review));
  } finally {
    await review.close();
  }
}

/** Throws EDW_ERR_CA_FILE. */
export async function readAuthority(point: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new EdgewardError('EDW_ERR_CA_FILE', `reading the authority of ${point}, ${file}: ${messageOf(cause)}`, {
      mend: 'Put the PEM certificate of the authority that signed the management certificate there, or name it as `caFile`.',
      cause,
    });
  }
}
