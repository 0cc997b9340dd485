/** What `edgeward agent status` reads, while it is being written. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createLogger } from '@edgeward/runtime';
import t from 'tap';
import type { HostReport } from '../../protocol/index.ts';
import { type AgentStatus, readAgentStatus } from '../../src/index.ts';
import { createStatusFile } from '../../src/status-file.ts';

const report: HostReport = {
  v: 1,
  agent: '0.1.0 "a\\b"',
  backend: 'nft',
  startedAt: '2026-11-23T10:00:00.000Z',
  clock: '2026-11-23T10:00:00.000Z',
  applied: { revision: 7, hash: '0'.repeat(64) },
  state: 'applied',
  mode: 'enforce',
  rules: null,
  nack: null,
  drift: [],
  repairs: { count: 2, last: null },
  denials: { denied: 130, sampled: 4, notSampled: 126, netlinkDrops: 1, pending: 3, gaps: 5 },
  certificateEnds: '2026-12-23T10:00:00.000Z',
  warnings: [],
};

/** Of very different lengths, so that two in one file make no JSON. */
const statusOf = (n: number): AgentStatus =>
  ({
    ...{ point: 'host-db', pid: process.pid, at: String(n), service: { urls: [], reachedAt: null, error: null } },
    report: { ...report, warnings: ['x'.repeat((n % 7) * 40_000)] },
  }) as unknown as AgentStatus;

t.test('many writes at once leave the last one whole, and warn of nothing', async (t) => {
  const dir = t.testdir({});
  const said: string[] = [];
  const logger = createLogger({ level: 'warn', destination: { write: (line) => said.push(line) } });
  const file = createStatusFile(dir, logger);
  const writes = Array.from({ length: 60 }, (_, n) => file.write(statusOf(n)));
  await Promise.all(writes);
  t.strictSame(said, [], 'no warning');
  t.strictSame((await readdir(dir)).sort(), ['metrics.prom', 'status.json'], 'nothing else lies there');
  t.strictSame(await readAgentStatus(dir), statusOf(59));
  const last = file.write(statusOf(60));
  await Promise.all([last, file.remove()]);
  t.strictSame(await readdir(dir), [], 'what is under way does not come back after the end');
});

t.test('metrics say what the status says, for a node exporter', async (t) => {
  const dir = t.testdir({});
  const file = createStatusFile(dir, createLogger({ level: 'silent' }));
  const service = { urls: [], reachedAt: '2026-11-23T10:00:30.000Z', error: null };
  const known = { point: 'host-db', pid: process.pid, at: '2026-11-23T10:01:00.000Z', service, report };
  await file.write({ ...known, waitingSince: '2026-11-23T10:00:10.000Z' });
  const text = await readFile(join(dir, 'metrics.prom'), 'utf8');
  for (const line of [
    'edgeward_agent_info{point="host-db",version="0.1.0 \\"a\\\\b\\"",backend="nft",mode="enforce"} 1',
    'edgeward_agent_written_timestamp_seconds{point="host-db"} 1795428060',
    'edgeward_agent_service_reached_timestamp_seconds{point="host-db"} 1795428030',
    'edgeward_agent_policy_applied_revision{point="host-db"} 7',
    'edgeward_agent_state{point="host-db",state="applied"} 1',
    'edgeward_agent_state{point="host-db",state="contended"} 0',
    'edgeward_agent_denials_total{point="host-db"} 130',
    'edgeward_agent_spool_records{point="host-db"} 3',
    'edgeward_agent_spool_oldest_timestamp_seconds{point="host-db"} 1795428010',
    '# TYPE edgeward_agent_netlink_drops_total counter',
    'edgeward_agent_repairs_total{point="host-db"} 2',
    'edgeward_agent_certificate_ends_timestamp_seconds{point="host-db"} 1798020000',
  ])
    t.ok(text.split('\n').includes(line), line);
  await file.write({
    ...{ point: 'host-db', pid: 1, at: '2026-11-23T10:02:00.000Z' },
    ...{ service: { ...service, reachedAt: null }, waitingSince: null },
    report: { ...report, applied: null, mode: null },
  });
  const later = await readFile(join(dir, 'metrics.prom'), 'utf8');
  t.match(later, 'edgeward_agent_service_reached_timestamp_seconds{point="host-db"} 0\n');
  t.match(later, 'edgeward_agent_spool_oldest_timestamp_seconds{point="host-db"} 0\n');
  t.match(later, 'edgeward_agent_policy_applied_revision{point="host-db"} 0\n');
});
