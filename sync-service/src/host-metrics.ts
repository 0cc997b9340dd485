import { HOST_STATES } from '@edgeward/host-agent/protocol';
import { type Gauge, type Registry, scrapedGauge } from '@edgeward/runtime';
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

export function hostMetrics(registry: Registry, scraped: () => ScrapedHosts): void {
  const gauge = (name: string, help: string, labelNames: string[], collect: (gauge: Gauge) => void): void =>
    scrapedGauge(registry, { name, help, labelNames }, collect);
  const each = (name: string, help: string, value: (host: HostStatus) => number | null): void =>
    gauge(name, help, ['point'], (it) => {
      for (const { point, host } of scraped().hosts) {
        const found = value(host);
        if (found !== null) it.set({ point }, found);
      }
    });
  each('edgeward_host_stale', '1 while three reports of a host in a row are missing.', ({ stale }) => (stale ? 1 : 0));
  each('edgeward_host_last_report_timestamp_seconds', 'When a host reported last; 0: not yet.', ({ heardAtMs }) =>
    seconds(heardAtMs ?? 0),
  );
  each('edgeward_host_clock_skew_seconds', 'Clock of a host less that of this service.', ({ clockSkewMs }) =>
    clockSkewMs === null ? null : seconds(clockSkewMs),
  );
  each('edgeward_host_certificate_ends_timestamp_seconds', 'When the certificate of a host ends.', ({ report }) =>
    report === null ? null : seconds(Date.parse(report.certificateEnds)),
  );
  each(
    'edgeward_host_repairs',
    'Times that a host put its rules or sets back.',
    ({ report }) => report?.repairs.count ?? null,
  );
  each(
    'edgeward_host_spool_records',
    'Records of denials that wait at a host.',
    ({ report }) => report?.denials.pending ?? null,
  );
  each('edgeward_host_netlink_drops', 'Samples that the kernel of a host dropped.', ({ report }) =>
    report === null ? null : report.denials.netlinkDrops,
  );
  gauge('edgeward_host_state', '1 for the state that a host reported.', ['point', 'state'], (it) => {
    for (const { point, host } of scraped().hosts)
      for (const state of HOST_STATES) it.set({ point, state }, host.report?.state === state ? 1 : 0);
  });
  gauge('edgeward_host_denials', 'Denials as a host counted them.', ['point', 'fate'], (it) => {
    for (const { point, host } of scraped().hosts) {
      if (host.report === null) continue;
      const { denied, sampled, notSampled } = host.report.denials;
      it.set({ point, fate: 'denied' }, denied);
      it.set({ point, fate: 'sampled' }, sampled);
      it.set({ point, fate: 'not_sampled' }, notSampled);
    }
  });
  gauge('edgeward_host_refused', 'Requests of hosts that were refused, by code.', ['code'], (it) => {
    for (const [code, count] of scraped().listener?.refused ?? []) it.set({ code }, count);
  });
  gauge('edgeward_host_handshakes_failed', 'Connections without a certificate of our authority.', [], (it) =>
    it.set(scraped().listener?.handshakesFailed ?? 0),
  );
  gauge('edgeward_host_connections', 'Connections of hosts.', [], (it) => it.set(scraped().listener?.connections ?? 0));
  gauge('edgeward_host_long_polls', 'Hosts that wait for their next policy.', [], (it) => it.set(scraped().longPolls));
}

function seconds(ms: number): number {
  return ms / 1000;
}
