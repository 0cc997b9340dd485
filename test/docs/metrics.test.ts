/** docs/metrics.md against the names that are registered in the code, in both directions. */
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCollector } from '@edgeward/audit-collector';
import { createLogger, createMetrics, type Registry } from '@edgeward/runtime';
import t, { type Test } from 'tap';
import { batchMetrics } from '../../audit-collector/src/batches/batch-metrics.ts';
import { sinkMetrics } from '../../audit-collector/src/sinks/sink-metrics.ts';
import { rolloutMetrics } from '../../central-store/src/rollout/metrics.ts';
import { storeMetrics } from '../../central-store/src/service/store-metrics.ts';
import { forwarderMetrics } from '../../deny-forwarder/src/forwarder-metrics.ts';
import { agentMetrics } from '../../host-agent/src/agent-metrics.ts';
import { countDeferrals } from '../../sync-service/src/hosts/deferral-counts.ts';
import { countEnrolments } from '../../sync-service/src/hosts/enrolment-counts.ts';
import { watchNewlyDenied } from '../../sync-service/src/newly-denied.ts';
import { proofMetrics } from '../../sync-service/src/proof/proof-metrics.ts';
import { serviceMetrics } from '../../sync-service/src/service-metrics.ts';
import { snapshotMetrics } from '../../sync-service/src/snapshot-metrics.ts';
import { page, tableRows } from './markdown.ts';

const text = page('docs/metrics.md');
const heading = ['name', 'type', 'labels', 'meaning'];
const storeAt = text.indexOf('## The store');
const rows = tableRows(text.slice(0, storeAt), heading);
const agentAt = text.indexOf('## The agent of a host');
const storeRows = tableRows(text.slice(storeAt, agentAt), heading);
const agentRows = tableRows(text.slice(agentAt), heading);

/** Tables of the ledger and variables of NGINX never stand alone in quotes with this prefix. */
function namesIn(folders: readonly string[], prefix = 'edgeward_'): string[] {
  const files = folders.flatMap((folder) =>
    readdirSync(new URL(`../../${folder}/`, import.meta.url))
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${folder}/${name}`),
  );
  const quoted = new RegExp(`['"\`](${prefix}[a-z_]+)['"\`]`, 'g');
  return [...new Set(files.flatMap((file) => [...page(file).matchAll(quoted)].map((match) => match[1] ?? '')))].sort();
}

t.test('every metric that the code names is documented once, and no other', async (t) => {
  const names = namesIn([
    'sync-service/src',
    'sync-service/src/hosts',
    'sync-service/src/proof',
    'audit-collector/src',
    'audit-collector/src/batches',
    'audit-collector/src/sinks',
    'deny-forwarder/src',
    'policy-cache/src',
    'enforcement-point/src',
    'runtime/src',
  ]);
  t.ok(names.length > 20, 'the sources were read');
  t.strictSame(rows.map(([name]) => name).sort(), names);
});

t.test('every metric of the store is documented once, with type and labels, and no other', async (t) => {
  const names = namesIn(['central-store/src/service', 'central-store/src/rollout'], 'edgeward_(?:store_|build_)');
  t.ok(names.length > 20, 'the sources were read');
  t.strictSame(storeRows.map(([name]) => name).sort(), names);
  const registry = createMetrics({ processMetrics: false });
  const never = (): never => {
    throw new Error('not scraped here');
  };
  const { publishing, reports } = {} as Parameters<typeof storeMetrics>[1];
  storeMetrics(registry, { version: '0', publishing, reports, counts: never, status: never, nowMs: never });
  rolloutMetrics(registry, never);
  checkRegistered(t, registry, storeRows);
});

t.test('type and labels are those that are registered', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-docs-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const registry = createMetrics({ processMetrics: false });
  const never = (): never => {
    throw new Error('not scraped here');
  };
  serviceMetrics(registry, { version: '0', policy: never, points: () => [] });
  const labels = {
    source: () => ({ workloads: [], networks: [], labels: {}, revision: null }),
    object: () => null,
    nearest: () => ({ nearestRule: null, missed: null }),
  };
  const logger = createLogger({ level: 'silent' });
  const collector = await createCollector({
    ledger: { kind: 'sqlite', file: join(folder, 'ledger.db') },
    logs: [],
    labels,
    logger,
    registry,
  });
  t.teardown(() => collector.close());
  watchNewlyDenied({ registry, logger, now: Date.now });
  proofMetrics(registry, () => []);
  snapshotMetrics(registry, () => []);
  countEnrolments(registry);
  countDeferrals(registry, []);
  batchMetrics(registry, [], () => []);
  forwarderMetrics(registry, {
    ...{ unreadBytes: never, isHolding: never, spool: never, maxBytes: 0 },
    ...{ oldestSeconds: never, lastAcknowledgedMs: never, failing: never },
  });
  sinkMetrics(registry, () => []);
  checkRegistered(t, registry, rows);
});

function checkRegistered(t: Test, registry: Registry, documentedRows: readonly string[][]): void {
  for (const [name = '', type = '', documented = ''] of documentedRows) {
    // prom-client tells the labels of a metric only here.
    const metric = registry.getSingleMetric(name) as unknown as { labelNames: string[]; constructor: { name: string } };
    const names = documented === '–' ? [] : documented.split(', ');
    t.strictSame([metric.constructor.name.toLowerCase(), metric.labelNames], [type, names], name);
  }
}

t.test('every metric of the agent is documented once, in its order, and no other', async (t) => {
  t.strictSame(
    agentRows.map(([name, type]) => [name, type]),
    agentMetrics.map(({ name, type }) => [name, type]),
  );
});
