/** The other side of `recomputing.ts`: one recomputation, one answer, and the thread ends. The empty text: it throws nothing. */
import { parentPort, workerData } from 'node:worker_threads';
import { type Recomputation, recompute } from './recomputation.ts';
import { thrownText } from './thrown-text.ts';

parentPort?.postMessage(answerTo(workerData as Recomputation));

function answerTo(recomputation: Recomputation): string {
  try {
    recompute(recomputation);
    return '';
  } catch (thrown) {
    return thrownText(thrown);
  }
}
