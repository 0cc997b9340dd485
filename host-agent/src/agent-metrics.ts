/**
 * What the agent says of itself as a text file for Prometheus, which the node exporter of the host reads: nobody has to call
 * the host, nothing listens, and it is there while the service is away. The same numbers as the status. Pure.
 */
import { HOST_STATES } from '../protocol/index.ts';
import type { AgentStatus } from './status-file.ts';

interface AgentMetric {
  name: string;
  type: 'gauge' | 'counter';
  help: string;
  samples(status: AgentStatus): { labels?: Record<string, string>; value: number }[];
}

export const agentMetrics: readonly AgentMetric[] = [
  {
    name: 'edgeward_agent_info',
    type: 'gauge',
    help: 'Constant 1; version, backend of the packet filter, and what the policy in force does.',
    samples: ({ report: { agent: version, backend, mode } }) => [
      { labels: { version, backend, mode: mode ?? 'none' }, value: 1 },
    ],
  },
  gauge('edgeward_agent_written_timestamp_seconds', 'When this was written; about once a minute.', ({ at }) =>
    secondsOf(at),
  ),
  gauge(
    'edgeward_agent_service_reached_timestamp_seconds',
    'When the service was reached last; 0 for not since the agent started.',
    ({ service }) => secondsOf(service.reachedAt),
  ),
  gauge(
    'edgeward_agent_policy_applied_revision',
    'Revision that judges packets; 0 for none.',
    ({ report }) => report.applied?.revision ?? 0,
  ),
  {
    name: 'edgeward_agent_state',
    type: 'gauge',
    help: '1 for the state that the host is in.',
    samples: ({ report }) => HOST_STATES.map((state) => ({ labels: { state }, value: report.state === state ? 1 : 0 })),
  },
  counter(
    'edgeward_agent_denials_total',
    "Packets that policy denied, or would have, since the agent's state began.",
    ({ report }) => report.denials.denied,
  ),
  gauge(
    'edgeward_agent_spool_records',
    'Records of denials that wait for the service.',
    ({ report }) => report.denials.pending,
  ),
  gauge(
    'edgeward_agent_spool_oldest_timestamp_seconds',
    'When the oldest of these was denied; 0 while none waits.',
    ({ waitingSince }) => secondsOf(waitingSince),
  ),
  counter(
    'edgeward_agent_netlink_drops_total',
    'Samples that the kernel dropped; what they were samples of is counted.',
    ({ report }) => report.denials.netlinkDrops,
  ),
  counter(
    'edgeward_agent_repairs_total',
    "Times that rules or sets were put back, since the agent's state began.",
    ({ report }) => report.repairs.count,
  ),
  gauge('edgeward_agent_warnings', 'Things that need a person; `edgeward agent status` names them.', ({ report }) => {
    return report.warnings.length;
  }),
  gauge('edgeward_agent_certificate_ends_timestamp_seconds', 'When the certificate of the host ends.', ({ report }) =>
    secondsOf(report.certificateEnds),
  ),
];

/** The text format 0.0.4 of Prometheus; each sample carries the point. */
export function agentMetricsText(status: AgentStatus): string {
  return agentMetrics.map((metric) => textOf(metric, status)).join('');
}

function textOf({ name, type, help, samples }: AgentMetric, status: AgentStatus): string {
  const lines = samples(status).map(({ labels = {}, value }) => {
    const pairs = Object.entries({ point: status.point, ...labels }).map(([key, text]) => `${key}="${escaped(text)}"`);
    return `${name}{${pairs.join(',')}} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

/** A version is a text of whoever built it. */
function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

type Read = (status: AgentStatus) => number;

function gauge(name: string, help: string, read: Read): AgentMetric {
  return { name, type: 'gauge', help, samples: (status) => [{ value: read(status) }] };
}

function counter(name: string, help: string, read: Read): AgentMetric {
  return { name, type: 'counter', help, samples: (status) => [{ value: read(status) }] };
}

function secondsOf(instant: string | null): number {
  return instant === null ? 0 : Date.parse(instant) / 1000;
}
