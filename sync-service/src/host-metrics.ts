import { HOST_STATES, type HostReport } from '@edgeward/host-agent/protocol';
import { metricGroup, type Registry } from '@edgeward/runtime';
import type { HostStatus } from './hosts/host-status.ts';
import type { ListenerCounts } from './hosts/listener.ts';

/** What hosts reported last, and what their listener turned away. Read when it is scraped. */
export interface ScrapedHosts {
  hosts: readonly { point: string; host: HostStatus }[];
  /** Null where no hosts are configured. */
  listener: ListenerCounts | null;
  /** Requests that wait for a policy. */
  longPolls: number;
}

export const NO_HOSTS: ScrapedHosts = { hosts: [], listener: null, longPolls: 0 };

type Kind = 'gauge' | 'total';

export function hostMetrics(registry: Registry, scraped: () => ScrapedHosts): void {
  const group = metricGroup(registry);
  const each = (kind: Kind, name: string, help: string, value: (host: HostStatus) => number | null): void =>
    group[kind](name, help, ['point'], (say) => {
      for (const { point, host } of scraped().hosts) {
        const found = value(host);
        if (found !== null) say({ point }, found);
      }
    });
  const reported = (kind: Kind, name: string, help: string, value: (report: HostReport) => number): void =>
    each(kind, name, help, ({ report }) => (report === null ? null : value(report)));
  each('gauge', 'edgeward_host_stale', '1 while three reports of a host in a row are missing.', ({ stale }) =>
    stale ? 1 : 0,
  );
  each(
    'gauge',
    'edgeward_host_last_report_timestamp_seconds',
    'When a host reported last; 0 for not since this process began.',
    ({ heardAtMs }) => seconds(heardAtMs ?? 0),
  );
  each('gauge', 'edgeward_host_clock_skew_seconds', 'Clock of a host less that of this service.', ({ clockSkewMs }) =>
    clockSkewMs === null ? null : seconds(clockSkewMs),
  );
  reported(
    'gauge',
    'edgeward_host_certificate_ends_timestamp_seconds',
    'When the certificate of a host ends.',
    ({ certificateEnds }) => seconds(Date.parse(certificateEnds)),
  );
  reported(
    'total',
    'edgeward_host_repairs_total',
    "Times that a host put its rules or sets back, since its agent's state began.",
    ({ repairs }) => repairs.count,
  );
  reported(
    'gauge',
    'edgeward_host_spool_records',
    'Records of denials that wait at a host for this service.',
    ({ denials }) => denials.pending,
  );
  reported(
    'total',
    'edgeward_host_netlink_drops_total',
    'Samples that the kernel of a host dropped; what they were samples of is counted.',
    ({ denials }) => denials.netlinkDrops,
  );
  group.gauge('edgeward_host_state', '1 for the state that a host reported.', ['point', 'state'], (say) => {
    for (const { point, host } of scraped().hosts)
      for (const state of HOST_STATES) say({ point, state }, host.report?.state === state ? 1 : 0);
  });
  group.total(
    'edgeward_host_denials_total',
    "Denials as a host counted them, since its agent's state began, by whether they were sampled.",
    ['point', 'fate'],
    (say) => {
      for (const { point, host } of scraped().hosts) {
        if (host.report === null) continue;
        say({ point, fate: 'sampled' }, host.report.denials.sampled);
        say({ point, fate: 'not_sampled' }, host.report.denials.notSampled);
      }
    },
  );
  group.total(
    'edgeward_host_outgoing_total',
    'Packets of a host that begin something: first ones, and those sent again before an answer.',
    ['point', 'protocol'],
    (say) => {
      // Nothing of a host whose agent does not count it.
      for (const { point, host } of scraped().hosts)
        for (const [protocol, packets] of Object.entries(host.report?.outgoing ?? {}))
          say({ point, protocol }, packets);
    },
  );
  listenerMetrics(registry, scraped);
}

function listenerMetrics(registry: Registry, scraped: () => ScrapedHosts): void {
  const group = metricGroup(registry);
  group.total(
    'edgeward_host_requests_refused_total',
    'Requests of hosts that were refused since this process began, by code.',
    ['code'],
    (say) => {
      for (const [code, count] of scraped().listener?.refused ?? []) say({ code }, count);
    },
  );
  group.total(
    'edgeward_host_handshakes_failed_total',
    'Connections to the listener of hosts without a certificate of its authority, since this process began.',
    [],
    (say) => say({}, scraped().listener?.handshakesFailed ?? 0),
  );
  group.gauge('edgeward_host_connections', 'Connections of hosts.', [], (say) =>
    say({}, scraped().listener?.connections ?? 0),
  );
  group.gauge('edgeward_host_long_polls', 'Hosts that wait for their next policy.', [], (say) =>
    say({}, scraped().longPolls),
  );
}

function seconds(ms: number): number {
  return ms / 1000;
}
