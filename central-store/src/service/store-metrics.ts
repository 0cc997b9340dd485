import { POINT_REPORT_STATES } from '@edgeward/policy-format';
import { metricGroup, type Registry } from '@edgeward/runtime';
import type { Publishing } from '../publishing/index.ts';
import type { ReportShelf, ServingCounts, StoreStatus } from '../serving/index.ts';

/** What the store counts. Gauges are read when they are scraped, so they can't be out of date. */
export interface StoreMetrics {
  compiled(seconds: number, published: number): void;
}

export interface MetricsSources {
  version: string;
  publishing: Publishing;
  reports: ReportShelf;
  /** Null before it listens. */
  counts: () => ServingCounts | null;
  status: () => StoreStatus;
  nowMs: () => number;
}

/** Three reports were missed. */
const SILENT_MS = 180_000;

export function storeMetrics(registry: Registry, sources: MetricsSources): StoreMetrics {
  const { publishing, reports } = sources;
  const group = metricGroup(registry);
  const value = (name: string, help: string, read: () => number): void =>
    group.gauge(name, help, [], (say) => say({}, read()));
  group.gauge('edgeward_build_info', 'Constant 1; the version is a label.', ['version'], (say) =>
    say({ version: sources.version }),
  );
  value('edgeward_store_revision', 'Newest revision that was given out.', () => publishing.status().revision);
  value('edgeward_store_version', 'Newest version of the policy.', () => sources.status().version ?? 0);
  value('edgeward_store_root_version', 'Newest version of the trust root.', () => sources.status().root);
  value('edgeward_store_record_entries', 'Entries of the record of attempts.', () => sources.status().record.size);
  value(
    'edgeward_store_follow_ups',
    'Break-glass versions that nobody has followed up.',
    () => sources.status().followUps.length,
  );
  value('edgeward_store_workloads', 'Workloads in force.', () => publishing.status().inventory.workloads);
  const waits = 'edgeward_store_inventory_waiting';
  group.gauge(waits, '1 while a change of the inventory is not in force.', ['state'], (say) => {
    const { waiting, alsoWaiting } = publishing.status().inventory;
    const all = [...(waiting === null ? [] : [waiting]), ...(alsoWaiting ?? [])];
    for (const state of ['held', 'refused']) say({ state }, all.some(({ fault }) => fault.state === state) ? 1 : 0);
  });
  value('edgeward_store_inventory_broken', '1 while the newest content of the inventory can not be read.', () =>
    sources.status().inventory.error === null ? 0 : 1,
  );
  value(
    'edgeward_store_points_refused',
    'Groups with too many members for the version that a point is to have.',
    () => publishing.status().refused.length,
  );
  value(
    'edgeward_store_points_behind',
    'Points that are not at what they are to have.',
    () => publishing.status().behind,
  );
  value(
    'edgeward_store_heads_unwritten',
    'Points whose newest head is in no mirror.',
    () => publishing.status().unwritten,
  );
  group.gauge(
    'edgeward_store_points',
    'Points by what their services said last; silent: nothing for three minutes.',
    ['state'],
    (say) => {
      for (const state of [...POINT_REPORT_STATES, 'silent']) say({ state }, 0);
      for (const { point } of publishing.points()) {
        const newest = reports.of(point)[0];
        const silent = newest === undefined || sources.nowMs() - newest.heardAtMs > SILENT_MS;
        say({ state: silent ? 'silent' : newest.report.state });
      }
    },
  );
  const nacks = 'edgeward_store_nacks';
  group.gauge(nacks, 'Points that refuse their newest head, by stage and code.', ['stage', 'code'], (say) => {
    for (const [, heard] of reports.all()) {
      const nack = heard[0]?.report.nack;
      if (nack !== null && nack !== undefined) say({ stage: nack.stage, code: nack.code });
    }
  });
  value('edgeward_store_long_polls', 'Requests that wait for news.', () => publishing.status().waiting);
  value('edgeward_store_connections', 'Connections of points and people.', () => sources.counts()?.connections ?? 0);
  servingTotals(registry, sources.counts);
  const heads = group.counter('edgeward_store_heads_published_total', 'Heads with a new state since the start.', []);
  const seconds = group.histogram(
    'edgeward_store_publish_seconds',
    'From a change to the heads that it brought.',
    [],
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60],
  );
  return {
    compiled(taken, published) {
      heads.inc(published);
      seconds.observe(taken);
    },
  };
}

function servingTotals(registry: Registry, counts: MetricsSources['counts']): void {
  const group = metricGroup(registry);
  const total = (name: string, help: string, read: (counted: ServingCounts) => number): void =>
    group.total(name, help, [], (say) => {
      const counted = counts();
      say({}, counted === null ? 0 : read(counted));
    });
  total('edgeward_store_requests_total', 'Requests since the start.', ({ requests }) => requests);
  total(
    'edgeward_store_rate_limited_total',
    'Requests refused because their certificate asked too often, since the start.',
    ({ limited }) => limited,
  );
  total(
    'edgeward_store_handshakes_failed_total',
    'Connections without a good client certificate, since the start.',
    ({ handshakesFailed }) => handshakesFailed,
  );
  total('edgeward_store_sent_bytes_total', 'Bytes sent to points and people since the start.', ({ bytes }) => bytes);
}
