/** Break-glass that is open is seen by whoever looks at the service: in its status, in the first line of it, in a metric. */
import { join } from 'node:path';
import { createCollector } from '@edgeward/audit-collector';
import { createLogger, createMetrics } from '@edgeward/runtime';
import { simpleGroup, sliceDocuments } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { eventLabels } from '../src/event-labels.ts';
import { headlineOf } from '../src/headline.ts';
import { type ServedPoint, serveNginx } from '../src/served-point.ts';
import { serviceMetrics } from '../src/service-metrics.ts';
import type { ServiceStatus } from '../src/status-api.ts';
import { reportStatus } from '../src/status-report.ts';
import { type StoreStage, storeStage } from './fixtures/store-stage.ts';

const NO_PROOF = { mode: 'off' as const, everyMs: 60_000, objects: {} };
const POINTS = ['edge-1', 'edge-2'];
const MINUTE_MS = 60_000;
const logger = createLogger({ level: 'silent' });

const slices = (id: string, at: readonly string[]): ReturnType<typeof sliceDocuments> =>
  sliceDocuments([
    ...at.map((point) => ({
      ...{ kind: 'VirtualServer', name: `front-${point}`, labels: { app: 'shop' }, point, bind: `front-${point}` },
      ...{ ports: ['tcp/443'], mode: 'enforce' },
    })),
    {
      kind: 'Policy',
      name: 'shop',
      rules: [{ id, from: [{ workloads: "app == 'crm'", within: ['10.30.0.0/16'], max: 600 }], to: "app == 'shop'" }],
    },
  ]);

interface Watched {
  stage: StoreStage;
  status(): ServiceStatus;
  /** Of each point. */
  gauge(): Promise<string[]>;
}

/** Points that are away: what they are to hold is told all the same. */
async function watched(t: Test): Promise<Watched> {
  const stage = await storeStage(t);
  const dir = t.testdir({});
  const registry = createMetrics({ processMetrics: false });
  const { policy } = stage;
  const served: ServedPoint[] = [];
  const metrics = serviceMetrics(registry, {
    version: '0',
    policy: policy.status,
    points: () => [],
    followers: policy.followers,
  });
  for (const name of POINTS) {
    const files = { tokenFile: join(dir, name), denyLog: join(dir, name), lastKnownFile: join(dir, name) };
    const config = {
      name,
      push: 'http://127.0.0.1:1',
      ...files,
      tls: null,
      streamPush: null,
      native: null,
      onDrift: 'repair' as const,
      proof: NO_PROOF,
    };
    served.push(serveNginx(config, { policy, metrics, logger }));
  }
  const labels = eventLabels(policy);
  const collector = await createCollector({
    ledger: { kind: 'sqlite', file: join(dir, 'ledger.db') },
    logs: [],
    labels,
    logger,
    registry,
  });
  t.teardown(async () => {
    for (const it of served) await it.close();
    await collector.close();
  });
  const { followers, versionOf } = policy;
  const source = {
    policy,
    directory: null,
    store: 'https://store.test',
    followers,
    versionOf,
    evidence: policy.evidence,
    start: policy.start,
    close: policy.close,
  };
  return {
    stage,
    status: () =>
      reportStatus({
        version: '0',
        startedAtMs: 0,
        source,
        served,
        collector,
        forwarders: null,
        proofs: { of: () => [] },
        sinks: { status: () => [] },
      }),
    async gauge() {
      const lines = (await registry.getSingleMetricAsString('edgeward_policy_break_glass')).split('\n');
      return lines.filter((line) => !line.startsWith('#'));
    },
  };
}

t.test('break-glass is told of each point that it reaches, until it ends', async (t) => {
  const { stage, status, gauge } = await watched(t);
  t.match(await gauge(), [/\{point="edge-1"\} 0$/, /\{point="edge-2"\} 0$/], 'before the first version');
  const members = { [simpleGroup()]: ['10.30.1.1'] };
  await stage.world.publish(slices('crm', POINTS), { members });
  await stage.until('both points have it', () => stage.published.length === 2);
  t.match(
    status().points.map(({ store }) => store),
    [
      { version: 1, breakGlass: null },
      { version: 1, breakGlass: null },
    ],
  );
  // As if they held it.
  const headline = (): string => {
    const { policy, points } = status();
    return headlineOf(
      policy,
      points.map((it) => ({ ...it, appliedRevision: 2 })),
      policy.store,
    );
  };
  t.notMatch(headline(), /BREAK-GLASS/);
  stage.world.nowMs = stage.clock.now();
  await stage.world.publish(slices('emergency', POINTS), { members, breakGlassMs: 30 * MINUTE_MS });
  const endsAt = new Date(stage.world.nowMs + 30 * MINUTE_MS).toISOString();
  await stage.until('both have the second', () => stage.published.length === 4);
  const glass = { version: 2, endsAt, proposedBy: String, reason: String };
  t.match(
    status().points.map(({ store }) => store?.breakGlass),
    [glass, glass],
  );
  t.match(await gauge(), [/\{point="edge-1"\} 1$/, /\{point="edge-2"\} 1$/]);
  t.match(headline(), 'ENFORCING 2 objects, BREAK-GLASS at edge-1, edge-2');
  stage.away = true;
  await stage.clock.advance(30 * MINUTE_MS);
  t.strictSame(
    status().points.map(({ store }) => store?.breakGlass),
    [null, null],
    'the store is away',
  );
  t.match(await gauge(), [/\{point="edge-1"\} 0$/, /\{point="edge-2"\} 0$/]);
});
