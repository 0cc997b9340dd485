/** Opens a point for one question and gives its tokens back, however the question ends. */
import { type BigipReview, createBigipReview } from '@edgeward/f5-irules';
import { createLogger } from '@edgeward/runtime';
import { type BigipConfig, bigipAccess } from '@edgeward/sync-service';
import type { Context } from '../frame/command.ts';
import { withProgress } from '../frame/progress.ts';

export async function reviewing<T>(
  context: Context,
  bigip: BigipConfig,
  says: () => string,
  work: (review: BigipReview) => Promise<T>,
): Promise<T> {
  const { name, syncOthersChanges } = bigip;
  // What goes wrong is thrown; a log would stand between the lines of the answer.
  const logger = createLogger({ level: 'silent' });
  const review = createBigipReview({ name, ...(await bigipAccess(bigip)), syncOthersChanges, logger });
  try {
    return await withProgress(context.err, says, () => work(review));
  } finally {
    await review.close();
  }
}
