/**
 * The processes of one NGINX, wherever they run: the master, which tells its workers, and the workers. They end with
 * their owner, however that ends.
 */
import type { Worker } from './workers.ts';

export interface Master {
  workers(): Promise<Worker[]>;
  /** SIGKILL goes to all of them, for the master could not pass it on; any other to the master. */
  signal(signal: 'SIGHUP' | 'SIGQUIT' | 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** True as soon as none runs, false after `waitMs`. */
  ended(waitMs: number): Promise<boolean>;
  /** To be called when the child is gone: whatever it left behind goes too. */
  clear(): Promise<void>;
}
