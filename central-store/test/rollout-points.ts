/** Points that follow a served store as services do, over TLS, and do with a policy what a test tells them to. */
import { join } from 'node:path';
import { createFollower, createHttpsTransport, type Follower } from '@edgeward/policy-feed';
import type { PointState } from '@edgeward/policy-format';
import { createLogger, EdgewardError } from '@edgeward/runtime';
import type { Test } from 'tap';
import { type Bundle, bundleOf, DEFAULT_ROLLOUT, type RolloutConfig, type RolloutStatus } from '../src/index.ts';
import { openServedStore, type ServedStore, until } from './serving-kit.ts';

export interface FollowingPoint {
  name: `edge-${string}`;
  follower: Follower;
  /** Versions that were put into force here, in order. */
  versions: number[];
  /** What it does not take. */
  refuses: (state: PointState) => boolean;
  /** Denials since its service started. */
  denied: number;
  /** Of what is in force. */
  ruleId(): string | undefined;
}

const logger = createLogger({ level: 'silent' });

export async function followPoint(t: Test, served: ServedStore, name: `edge-${string}`): Promise<FollowingPoint> {
  const { cert, key, ca } = await served.who(name);
  const url = `https://127.0.0.1:${served.store.port}`;
  const transport = createHttpsTransport({ url, tls: { cert, key, ca }, logger, callMs: 2_000 });
  let inForce: PointState | null = null;
  const sinceMs = Date.now() - 3_600_000;
  const point: FollowingPoint = {
    name,
    versions: [],
    refuses: () => false,
    denied: 0,
    ruleId: () => inForce?.rules.rules[0]?.id,
    follower: createFollower({
      ...{ point: name, transport, pinnedRoot: served.made.signed, service: `sync-${name}`, logger },
      stateDir: join(served.dir, '..', 'points'),
      onState(state) {
        if (point.refuses(state))
          throw new EdgewardError('EDW_ERR_TOO_FRAGMENTED', 'compiling: too many intervals', { mend: 'Widen them.' });
        inForce = state;
        const { version } = state.approval.approval;
        if (point.versions.at(-1) !== version) point.versions.push(version);
        // As the service does when the point has applied it.
        setImmediate(() => point.follower.reportSoon());
      },
      observe: () => ({
        ...{ applied: inForce?.head.revision ?? null, state: 'current', nack: null },
        denials: { total: point.denied, sinceMs },
      }),
      ...{ pollMs: 500, longPollMs: 2_000, reportMs: 300, coldStartMs: 10 },
    }),
  };
  await point.follower.start();
  t.teardown(async () => {
    await point.follower.close();
    await transport.close();
  });
  return point;
}

/** One front a point; those of the first points are canaries. */
export function tiers(
  points: readonly string[],
  options: { rule?: string; mode?: string; canaries?: number } = {},
): Bundle {
  const { rule = 'crm-1', mode = 'enforce', canaries = 1 } = options;
  const fronts = points.map((point, i) => ({
    ...{ kind: 'VirtualServer', name: `front-${point}`, point, bind: `front-${point}`, ports: ['tcp/443'], mode },
    labels: { app: 'shop', tier: i < canaries ? 'canary' : 'main' },
  }));
  const from = [{ workloads: "app == 'crm'", within: ['10.30.0.0/16'], max: 2_000 }];
  const policy = { kind: 'Policy', name: 'shop', rules: [{ id: rule, from, to: "app == 'shop'", ports: ['tcp/443'] }] };
  return bundleOf([...fronts, policy].map((value) => ({ file: 'x', value, locate: () => ({ line: 1, column: 1 }) })));
}

export const THREE = ['edge-1', 'edge-2', 'edge-3'] as const;

export interface Fleet {
  served: ServedStore;
  points: [canary: FollowingPoint, FollowingPoint, FollowingPoint];
  /** Of the store that runs; what is changed here counts at once. */
  settings: RolloutConfig;
  rollout(): RolloutStatus;
  reaches(state: RolloutStatus['state']): Promise<RolloutStatus>;
  /** Of the store's own entries, and people's decisions. */
  record(): Promise<string[]>;
}

/** Three points that have version 1, and a canary wave before the last. */
export async function openFleet(
  t: Test,
  rollout: Partial<RolloutConfig> = {},
  first: Bundle = tiers(THREE),
): Promise<Fleet> {
  // The first version is everywhere as soon as it can be; what is set counts for those after it.
  const settings = { ...DEFAULT_ROLLOUT, settleSeconds: 0 };
  const served = await openServedStore(t, { config: { rollout: settings } });
  await served.inventory({ name: 'crm-1', labels: { app: 'crm' }, addresses: ['10.30.0.1'] });
  await served.decide(first);
  const points: Fleet['points'] = [
    await followPoint(t, served, 'edge-1'),
    await followPoint(t, served, 'edge-2'),
    await followPoint(t, served, 'edge-3'),
  ];
  const fleet: Fleet = {
    served,
    points,
    settings,
    rollout: () => served.store.status().rollout,
    async reaches(state) {
      await until(`the roll-out is ${state}`, () => fleet.rollout().state === state);
      return fleet.rollout();
    },
    async record() {
      const entries = await served.store.folder.record.read({ after: 0, limit: 1_000 });
      return entries
        .filter(({ action }) => action.startsWith('rollout.'))
        .map(({ actor, action, target, outcome }) => `${actor} ${action} ${target} ${outcome}`);
    },
  };
  await fleet.reaches('done');
  Object.assign(settings, { waves: [{ match: "tier == 'canary'" }, { all: true }] }, rollout);
  return fleet;
}

/** As long as an hour from now. */
export const returnable = () => ({ returnUntilMs: Date.now() + 3_600_000 });
