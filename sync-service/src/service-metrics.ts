import type { PointStatus } from '@edgeward/enforcement-point';
import type { FollowerStatus } from '@edgeward/policy-feed';
import { boundedNames, metricGroup, type Registry } from '@edgeward/runtime';
import { hostMetrics, NO_HOSTS, type ScrapedHosts } from './host-metrics.ts';
import type { PolicyStatus } from './policy-in-force.ts';

/** What the sync service counts. Gauges are read when they are scraped, so they can't be out of date. */
export interface ServiceMetrics {
  /** From publishing a revision to its being in force at the point. */
  applied(point: string, seconds: number): void;
}

export interface ServiceReadings {
  version: string;
  policy(): PolicyStatus;
  points(): PointStatus[];
  followers?: () => FollowerStatus[];
  hosts?: () => ScrapedHosts;
  /** Denials that NGINX could not write to its deny log. */
  unwritten?: () => ReadonlyMap<string, number>;
}

/** A histogram is many series for each of them. */
const TIMED_POINTS = 200;

const STATES = ['current', 'applying', 'behind', 'unreachable', 'no-policy'] as const;

export function serviceMetrics(registry: Registry, readings: ServiceReadings): ServiceMetrics {
  const group = metricGroup(registry);
  group.gauge('edgeward_build_info', 'Constant 1; the version is a label.', ['version'], (say) =>
    say({ version: readings.version }),
  );
  policyMetrics(registry, readings);
  pointMetrics(registry, readings);
  hostMetrics(registry, readings.hosts ?? (() => NO_HOSTS));
  const seconds = group.histogram(
    'edgeward_policy_apply_seconds',
    'From publishing a revision to its being in force at the point.',
    ['point'],
    [0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60],
  );
  const timed = boundedNames(registry, 'applied-point', TIMED_POINTS);
  return { applied: (point, value) => seconds.observe({ point: timed(point) }, value) };
}

function policyMetrics(registry: Registry, { policy, followers = () => [] }: ServiceReadings): void {
  const group = metricGroup(registry);
  const value = (name: string, help: string, read: () => number): void =>
    group.gauge(name, help, [], (say) => say({}, read()));
  value('edgeward_policy_revision', 'Revision in force.', () => policy().revision);
  value('edgeward_policy_stale', '1 while the last-known-good policy stands in for the source.', () =>
    policy().state === 'last-known-good' ? 1 : 0,
  );
  value('edgeward_policy_held', '1 while a revision waits for `edgeward accept`.', () =>
    policy().held === null ? 0 : 1,
  );
  value(
    'edgeward_policy_errors',
    'Errors that keep the newest content of the source out of force.',
    () => policy().errors.length,
  );
  group.gauge('edgeward_policy_warnings', 'Warnings of the policy in force, by code.', ['code'], (say) => {
    for (const finding of policy().warnings) say({ code: finding.code });
  });
  group.gauge(
    'edgeward_policy_break_glass',
    '1 while one approver alone opened what the point is to hold.',
    ['point'],
    (say) => {
      for (const { point, breakGlass } of followers()) say({ point }, breakGlass === null ? 0 : 1);
    },
  );
  group.total(
    'edgeward_state_write_failures_total',
    'Failed writes of the state folder since the start; enforcement goes on without them.',
    [],
    (say) => say({}, policy().stateWriteFailures),
  );
}

function pointMetrics(registry: Registry, { points, unwritten = () => new Map() }: ServiceReadings): void {
  const group = metricGroup(registry);
  const each = (kind: 'gauge' | 'total', name: string, help: string, value: (status: PointStatus) => number): void =>
    group[kind](name, help, ['point'], (say) => {
      for (const status of points()) say({ point: status.point }, value(status));
    });
  each(
    'gauge',
    'edgeward_policy_desired_revision',
    'Revision that the point should hold.',
    ({ desiredRevision }) => desiredRevision ?? 0,
  );
  each(
    'gauge',
    'edgeward_policy_applied_revision',
    'Revision that the point was last known to hold; 0 for none.',
    ({ appliedRevision }) => appliedRevision ?? 0,
  );
  group.gauge('edgeward_point_state', '1 for the state that the point is in.', ['point', 'state'], (say) => {
    for (const status of points())
      for (const state of STATES) say({ point: status.point, state }, status.state === state ? 1 : 0);
  });
  each(
    'gauge',
    'edgeward_point_last_checked_timestamp_seconds',
    'When the point last said what it holds.',
    ({ lastCheckedAt }) => (lastCheckedAt ?? 0) / 1000,
  );
  each(
    'total',
    'edgeward_point_drifts_total',
    'Times that a point was found changed behind our back since the start.',
    ({ drift }) => drift.count,
  );
  each(
    'total',
    'edgeward_point_refills_total',
    'Times that a point was found empty after it had held a policy: mostly restarts.',
    ({ refills }) => refills,
  );
  group.total(
    'edgeward_deny_log_write_failures_total',
    'Denials that NGINX could not write to its deny log, as far back as this process and that NGINX both ran.',
    ['point'],
    (say) => {
      for (const [point, total] of unwritten()) say({ point }, total);
    },
  );
}
