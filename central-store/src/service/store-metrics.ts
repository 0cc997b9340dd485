import { POINT_REPORT_STATES } from '@edgeward/policy-format';
import { Counter, type Gauge, Histogram, type Registry, scrapedGauge } from '@edgeward/runtime';
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
  const registers = [registry];
  const { publishing, reports } = sources;
  const gauge = (name: string, help: string, labelNames: string[], collect: (gauge: Gauge) => void): void =>
    scrapedGauge(registry, { name, help, labelNames }, collect);
  const value = (name: string, help: string, read: () => number): void => gauge(name, help, [], (it) => it.set(read()));
  gauge('edgeward_build_info', 'Constant 1; the version is a label.', ['version'], (it) =>
    it.set({ version: sources.version }, 1),
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
  gauge('edgeward_store_inventory_waiting', '1 while a change of the inventory is not in force.', ['state'], (it) => {
    const { waiting, alsoWaiting } = publishing.status().inventory;
    const all = [...(waiting === null ? [] : [waiting]), ...(alsoWaiting ?? [])];
    for (const state of ['held', 'refused']) it.set({ state }, all.some(({ fault }) => fault.state === state) ? 1 : 0);
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
  gauge(
    'edgeward_store_points',
    'Points by what their services said last; silent: nothing for three minutes.',
    ['state'],
    (it) => {
      for (const state of [...POINT_REPORT_STATES, 'silent']) it.set({ state }, 0);
      for (const { point } of publishing.points()) {
        const newest = reports.of(point)[0];
        const silent = newest === undefined || sources.nowMs() - newest.heardAtMs > SILENT_MS;
        it.inc({ state: silent ? 'silent' : newest.report.state });
      }
    },
  );
  gauge('edgeward_store_nacks', 'Points that refuse their newest head, by stage and code.', ['stage', 'code'], (it) => {
    for (const [, heard] of reports.all()) {
      const nack = heard[0]?.report.nack;
      if (nack !== null && nack !== undefined) it.inc({ stage: nack.stage, code: nack.code });
    }
  });
  value('edgeward_store_long_polls', 'Requests that wait for news.', () => publishing.status().waiting);
  value('edgeward_store_connections', 'Connections of points and people.', () => sources.counts()?.connections ?? 0);
  value('edgeward_store_requests', 'Requests since the start.', () => sources.counts()?.requests ?? 0);
  value(
    'edgeward_store_rate_limited',
    'Requests refused because their certificate asked too often, since the start.',
    () => sources.counts()?.limited ?? 0,
  );
  value(
    'edgeward_store_handshakes_failed',
    'Connections without a good client certificate, since the start.',
    () => sources.counts()?.handshakesFailed ?? 0,
  );
  value(
    'edgeward_store_sent_bytes',
    'Bytes sent to points and people since the start.',
    () => sources.counts()?.bytes ?? 0,
  );
  const heads = new Counter({
    name: 'edgeward_store_heads_published',
    help: 'Heads with a new state since the start.',
    registers,
  });
  const seconds = new Histogram({
    name: 'edgeward_store_publish_seconds',
    help: 'From a change to the heads that it brought.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60],
    registers,
  });
  return {
    compiled(taken, published) {
      heads.inc(published);
      seconds.observe(taken);
    },
  };
}
