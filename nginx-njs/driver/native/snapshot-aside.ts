import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { CompiledPolicy } from '@edgeward/policy';
import { type NativeOptions, type NativeSnapshot, nativeSnapshot } from './snapshot.ts';

/**
 * A snapshot without anybody waiting for it: of a large policy it is made in a thread, which costs a tenth of a second more
 * and keeps the process free for pushes.
 */
export interface SnapshotTask {
  policy: CompiledPolicy;
  options: NativeOptions;
}

/** Characters of all tables: some ten thousand intervals, 50 ms. */
const LARGE_CHARS = 250_000;

/** From source as well as built. Flags of the process, such as its conditions, hold for its threads too. */
const THREAD = new URL(`./snapshot-thread${extname(import.meta.url)}`, import.meta.url);

/** Throws what `nativeSnapshot` throws. */
export async function nativeSnapshotAside(policy: CompiledPolicy, options: NativeOptions): Promise<NativeSnapshot> {
  if (charsOf(policy) < LARGE_CHARS) return nativeSnapshot(policy, options);
  const task: SnapshotTask = { policy, options };
  return new Promise((resolve, reject) => {
    const worker = new Worker(THREAD, { name: 'snapshot', workerData: task });
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the thread that makes a snapshot ended with ${code}`)));
  });
}

function charsOf({ objects }: CompiledPolicy): number {
  let chars = 0;
  for (const { sources } of objects) for (const value of Object.values(sources)) chars += value.length;
  return chars;
}
