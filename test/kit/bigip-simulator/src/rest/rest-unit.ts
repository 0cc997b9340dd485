/** What the calls of one unit work on. */
import type { Clock } from '@edgeward/runtime';
import type { ClusterSeat } from '../cluster/cluster.ts';
import type { BoxConfig } from '../config/box-config.ts';
import type { SimulatedUser, TmosVersion } from '../simulator.ts';
import type { DataPlane } from '../tmm/data-plane.ts';
import type { Tasks } from './tasks.ts';
import type { Tokens } from './tokens.ts';
import type { Transactions } from './transactions.ts';
import type { Uploads } from './uploads.ts';

export interface RestUnit {
  readonly hostname: string;
  readonly version: TmosVersion;
  readonly users: readonly SimulatedUser[];
  readonly clock: Clock;
  readonly config: BoxConfig;
  readonly tokens: Tokens;
  readonly transactions: Transactions;
  readonly uploads: Uploads;
  readonly tasks: Tasks;
  /** Of a body; a client may change it as on a real one. */
  readonly limits: { bodyBytes: number };
  /** Its place in a pair, or alone. */
  readonly seat: ClusterSeat;
  /** Null when there is none, or while it starts. */
  dataPlane(): DataPlane | null;
}
