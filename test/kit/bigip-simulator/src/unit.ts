/**
 * One unit: its configuration, its REST server, its data plane, and what a reboot does to them. It knows of a peer only
 * what its seat in the cluster tells it.
 */
import { type Clock, EdgewardError, type Logger } from '@edgeward/runtime';
import type { ClusterMember, ClusterSeat } from './cluster/cluster.ts';
import type { BoxConfig } from './config/box-config.ts';
import { dispatch } from './rest/dispatch.ts';
import { createFaults } from './rest/faults.ts';
import { type Readiness, startRestServer } from './rest/rest-server.ts';
import type { RestUnit } from './rest/rest-unit.ts';
import { createTasks } from './rest/tasks.ts';
import { createTokens } from './rest/tokens.ts';
import { createTransactions } from './rest/transactions.ts';
import { createUploads } from './rest/uploads.ts';
import type { SimulatedUnit, SimulatedUser } from './simulator.ts';
import type { DataPlane } from './tmm/data-plane.ts';

export interface UnitOptions {
  hostname: string;
  users: readonly SimulatedUser[];
  config: BoxConfig;
  clock: Clock;
  logger: Logger;
  listen: { host: string; port: number };
  certificate: { key: string; cert: string };
  rebootMs: number;
  taskMs: number;
  /** Null: this unit has none. */
  startDataPlane: ((active: boolean) => Promise<DataPlane>) | null;
}

export interface Unit extends SimulatedUnit {
  readonly member: ClusterMember;
  /** Once, before anything else. */
  join(seat: ClusterSeat): Promise<void>;
  close(): Promise<void>;
}

const bodyBytes = 32 << 20;

export async function createUnit(options: UnitOptions): Promise<Unit> {
  const { config, clock, hostname } = options;
  const faults = createFaults();
  const tokens = createTokens(clock);
  const shared = { clock, version: config.version };
  let readiness: Readiness = 'starting';
  let active = false;
  let dataPlane: DataPlane | null = null;
  let seat: ClusterSeat | null = null;
  let rebooting: Promise<void> | null = null;
  let closing = false;

  const rest = {
    ...shared,
    hostname,
    users: options.users,
    config,
    tokens,
    transactions: createTransactions({ ...shared, config }),
    uploads: createUploads(config.uploads, clock),
    tasks: createTasks({ ...shared, taskMs: options.taskMs }),
    limits: { bodyBytes },
    dataPlane: () => dataPlane,
  };

  const server = await startRestServer({
    ...options.listen,
    ...options.certificate,
    version: config.version,
    logger: options.logger,
    readiness: () => readiness,
    maxBodyBytes: () => rest.limits.bodyBytes,
    strike: faults.strike,
    expireToken: tokens.expire,
    async dispatch(call) {
      const done = await dispatch(call, { ...rest, seat: seated() } satisfies RestUnit);
      // mcpd answers when the change is in force, so that whoever reads the answer meets the new configuration.
      if (call.method !== 'GET' && call.segments[0] === 'tm') await dataPlane?.settled();
      return done;
    },
  });

  function seated(): ClusterSeat {
    if (seat === null) throw new Error('a unit answers only once it has its place');
    return seat;
  }

  async function startTraffic(): Promise<void> {
    if (options.startDataPlane === null || closing) return;
    const started = await options.startDataPlane(active);
    if (closing) return started.close();
    // Known before it is told, so that a failover in between reaches it too.
    dataPlane = started;
    await started.setActive(active);
  }

  async function stopTraffic(): Promise<void> {
    const stopped = dataPlane;
    dataPlane = null;
    await stopped?.close();
  }

  async function reboot(): Promise<void> {
    readiness = 'restarting';
    server.cutConnections();
    tokens.clear();
    rest.transactions.clear();
    rest.uploads.clear();
    rest.tasks.clear();
    await seated().down();
    await stopTraffic();
    seated().reverting(() => config.revert());
    await wait(clock, options.rebootMs);
    readiness = 'starting';
    await wait(clock, options.rebootMs);
    await startTraffic();
    readiness = 'ready';
  }

  return {
    name: hostname,
    url: server.url,
    calls: server.calls,
    configText: () => config.text(),
    log: () => dataPlane?.log() ?? [],
    classLookups: async () => (await dataPlane?.classLookups()) ?? 0,
    inject(fault) {
      if (fault.kind === 'external-stale') dataPlane?.setExternalStale(true);
      else faults.inject(fault);
    },
    reboot() {
      rebooting ??= reboot().finally(() => {
        rebooting = null;
      });
      return rebooting;
    },
    async listener(virtual) {
      await dataPlane?.settled();
      const found = dataPlane?.listener(virtual) ?? null;
      if (found !== null) return found;
      throw new EdgewardError('EDW_ERR_SIMULATOR_LISTENER', `asking ${hostname} where ${virtual} listens: nowhere`, {
        mend: 'Name an enabled virtual server by its full path, of an active unit that has a data plane.',
      });
    },
    member: {
      name: hostname,
      config,
      reachable: () => readiness === 'ready',
      async setActive(next) {
        active = next;
        await dataPlane?.setActive(next);
      },
    },
    async join(given) {
      seat = given;
      active = given.isActive();
      await startTraffic();
      readiness = 'ready';
    },
    async close() {
      closing = true;
      await server.close();
      rest.tasks.clear();
      await stopTraffic();
    },
  };
}

function wait(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.after(ms, resolve));
}
