import type { PointStatus } from '@edgeward/enforcement-point';
import type { FollowerStatus } from '@edgeward/policy-feed';
import { Gauge, Histogram, type Registry, scrapedGauge } from '@edgeward/runtime';
import { hostMetrics, NO_HOSTS, type ScrapedHosts } from './host-metrics.ts';
import type { PolicyStatus } from './policy-in-force.ts';

/** What the sync service counts. Gauges are read when they are scraped, so they can't be out of date. */
export interface ServiceMetrics {
  /** From publishing a revision to its being in force at the point. */
  applied(point: string, seconds: number): void;
  /** Denials that NGINX could not write to its deny log, as it counted them. */
  lostAtPoint(point: string, total: number): void;
}

const STATES = ['current', 'applying', 'behind', 'unreachable', 'no-policy'] as const;

export function serviceMetrics(
  registry: Registry,
  version: string,
  policy: () => PolicyStatus,
  points: () => PointStatus[],
  followers: () => FollowerStatus[] = () => [],
  hosts: () => ScrapedHosts = () => NO_HOSTS,
): ServiceMetrics {
  const registers = [registry];
  const gauge = (name: string, help: string, labelNames: string[], collect: (gauge: Gauge) => void): void =>
    scrapedGauge(registry, { name, help, labelNames }, collect);
  gauge('edgeward_build_info', 'Constant 1; the version is a label.', ['version'], (it) => it.set({ version }, 1));
  gauge('edgeward_policy_revision', 'Revision in force.', [], (it) => it.set(policy().revision));
  gauge('edgeward_policy_stale', '1 while the last-known-good policy stands in for the source.', [], (it) =>
    it.set(policy().state === 'last-known-good' ? 1 : 0),
  );
  gauge('edgeward_policy_held', '1 while a revision waits for `edgeward accept`.', [], (it) =>
    it.set(policy().held === null ? 0 : 1),
  );
  gauge('edgeward_policy_errors', 'Errors that keep the newest content of the source out of force.', [], (it) =>
    it.set(policy().errors.length),
  );
  gauge('edgeward_policy_warnings', 'Warnings of the policy in force, by code.', ['code'], (it) => {
    for (const finding of policy().warnings) it.inc({ code: finding.code });
  });
  gauge('edgeward_state_write_failures', 'Failed writes of state since the start.', [], (it) =>
    it.set(policy().stateWriteFailures),
  );
  gauge('edgeward_policy_desired_revision', 'Revision that the point should hold.', ['point'], (it) => {
    for (const status of points()) it.set({ point: status.point }, status.desiredRevision ?? 0);
  });
  gauge('edgeward_policy_applied_revision', 'Revision that the point was last known to hold.', ['point'], (it) => {
    for (const status of points()) it.set({ point: status.point }, status.appliedRevision ?? 0);
  });
  gauge('edgeward_point_state', '1 for the state that the point is in.', ['point', 'state'], (it) => {
    for (const status of points())
      for (const state of STATES) it.set({ point: status.point, state }, status.state === state ? 1 : 0);
  });
  gauge('edgeward_point_last_checked_timestamp_seconds', 'When the point last said what it holds.', ['point'], (it) => {
    for (const status of points()) it.set({ point: status.point }, (status.lastCheckedAt ?? 0) / 1000);
  });
  gauge('edgeward_drift', 'How often a point was found changed behind our back since the start.', ['point'], (it) => {
    for (const status of points()) it.set({ point: status.point }, status.drift.count);
  });
  gauge('edgeward_point_refills', 'How often a point was found empty after it had held a policy.', ['point'], (it) => {
    for (const status of points()) it.set({ point: status.point }, status.refills);
  });
  const glass = 'edgeward_policy_break_glass';
  gauge(glass, '1 while one approver alone opened what the point is to hold.', ['point'], (it) => {
    for (const { point, breakGlass } of followers()) it.set({ point }, breakGlass === null ? 0 : 1);
  });
  hostMetrics(registry, hosts);
  const lost = new Gauge({
    name: 'edgeward_deny_log_write_failures',
    help: 'Denials that NGINX could not write to its deny log since it started.',
    labelNames: ['point'],
    registers,
  });
  const seconds = new Histogram({
    name: 'edgeward_policy_apply_seconds',
    help: 'From publishing a revision to its being in force at the point.',
    labelNames: ['point'],
    buckets: [0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60],
    registers,
  });
  return {
    applied: (point, value) => seconds.observe({ point }, value),
    lostAtPoint: (point, total) => lost.set({ point }, total),
  };
}
