import type { SnapshotStatus } from '@edgeward/nginx-njs';
import { metricGroup, type Registry } from '@edgeward/runtime';

/** How near the native snapshot of each NGINX in mode hybrid is to the policy in force. */
export function snapshotMetrics(registry: Registry, read: () => readonly [point: string, SnapshotStatus][]): void {
  const group = metricGroup(registry);
  const each = (kind: 'gauge' | 'total', name: string, help: string, value: (status: SnapshotStatus) => number): void =>
    group[kind](name, help, ['point'], (say) => {
      for (const [point, status] of read()) say({ point }, value(status));
    });
  each(
    'gauge',
    'edgeward_nginx_snapshot_taken_timestamp_seconds',
    'When the native snapshot that NGINX includes was taken; 0: it includes none.',
    ({ takenAt }) => (takenAt ?? 0) / 1000,
  );
  each(
    'gauge',
    'edgeward_nginx_snapshot_slow_objects',
    'Objects that changed since the snapshot, so that the module is asked about every request.',
    ({ slow }) => slow?.objects ?? 0,
  );
  each(
    'gauge',
    'edgeward_nginx_snapshot_slow_since_timestamp_seconds',
    'Since when there are such objects; 0: there are none.',
    ({ slow }) => (slow?.since ?? 0) / 1000,
  );
  each(
    'total',
    'edgeward_nginx_snapshot_reloads_total',
    'Reloads of NGINX for a new snapshot since the start.',
    ({ reloads }) => reloads,
  );
  each(
    'total',
    'edgeward_nginx_snapshot_failures_total',
    'Snapshots that could not be taken, or not be brought into force, since the start.',
    ({ failures }) => failures,
  );
}
