/** One snapshot in a thread of its own: a million intervals take seconds, in which the process has others to serve. */
import { parentPort, workerData } from 'node:worker_threads';
import { nativeSnapshot } from './snapshot.ts';
import type { SnapshotTask } from './snapshot-aside.ts';

const { policy, options } = workerData as SnapshotTask;
parentPort?.postMessage(nativeSnapshot(policy, options));
