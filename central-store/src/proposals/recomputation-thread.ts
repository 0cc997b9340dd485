/**
 * The process of `policy-process.ts`, and the thread in it where the work has bounds: the process looks after it. One task, one
 * answer, and it ends; and without an answer where nobody is there any more to hear it.
 */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { inThread } from './bounded-thread.ts';
import type { PolicyAnswer, PolicyTask } from './policy-process.ts';
import { thrownText } from './thrown-text.ts';

if (isMainThread) {
  process.once('disconnect', () => process.exit());
  process.once('message', (task: PolicyTask) => void asProcess(task));
} else {
  // Only the thread needs all that policy is computed with.
  const { recompute } = await import('./recomputation.ts');
  parentPort?.postMessage((await answerTo(async () => recompute(workerData))) satisfies PolicyAnswer);
}

async function asProcess(task: PolicyTask): Promise<void> {
  const answer = await answerTo(async () => {
    if (task.do === 'slice') return (await import('./slicing.ts')).slicedLines(task.documents);
    return await inThread(new URL(import.meta.url), task.recomputation, task.limits);
  });
  process.send?.(answer, () => process.disconnect());
}

async function answerTo(compute: () => Promise<Uint8Array | null>): Promise<PolicyAnswer> {
  try {
    return { thrown: '', lines: await compute() };
  } catch (thrown) {
    return { thrown: thrownText(thrown), lines: null };
  }
}
