/**
 * An NGINX on this machine: the child is the master, and leads a process group that holds its workers and nothing else.
 */
import type { Master } from './master.ts';
import { groupEnded, signalGroup, signalProcess } from './process-group.ts';
import { startWatchdog } from './watchdog.ts';
import { workersOf } from './workers.ts';

export function localMaster(pid: number): Master {
  const watchdog = startWatchdog(pid);
  return {
    workers: () => workersOf(pid),
    async signal(signal) {
      if (signal === 'SIGKILL') signalGroup(pid, signal);
      else signalProcess(pid, signal);
    },
    ended: (waitMs) => groupEnded(pid, waitMs),
    async clear() {
      // A master that was killed leaves its workers behind, and they would hold its ports.
      signalGroup(pid, 'SIGKILL');
      await groupEnded(pid, 2_000);
      watchdog.dismiss();
    },
  };
}
