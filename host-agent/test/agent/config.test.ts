/** The agent's configuration, and what it reports. */
import t from 'tap';
import { hostReportSchema } from '../../protocol/index.ts';
import { readAgentConfig } from '../../src/config.ts';
import { reportOf } from '../../src/report.ts';

const read = (value: unknown, env = {}) => readAgentConfig({ value, file: 'agent.yaml', env });

t.test('an empty file is a whole configuration', async (t) => {
  t.strictSame(read({}), {
    service: [],
    rootFile: null,
    stateDir: '/var/lib/edgeward-agent',
    runtimeDir: '/run/edgeward-agent',
    backend: 'auto',
    reaction: 'repair',
    logLevel: 'info',
    host: { mark: { mask: 0x0fff0000, shift: 16 }, verdict: 'exclusive', publishedPorts: false },
  });
  t.match(read({ mark: 'off' }), { host: { mark: null } });
  t.match(read({}, { EDGEWARD_AGENT_BACKEND: 'legacy', EDGEWARD_OTHER: 'x' }), { backend: 'legacy' });
});

t.test('every problem is told at once', async (t) => {
  const value = { backend: 'iptables', mark: { mask: 0, shift: 40 }, service: ['http://x'], stateDirectory: '/x' };
  const told = t.throws(() => read(value), { code: 'EDW_ERR_CONFIG' }) as Error;
  for (const word of ['backend', 'mark', 'service', 'stateDirectory']) t.match(told.message, word, word);
});

t.test('a report is one that the protocol knows, whatever there is to say', async (t) => {
  const long = 'ü'.repeat(5_000);
  const outgoing = { tcp: 3, udp: 2, other: 1 };
  const report = reportOf({
    ...{ version: long, backend: 'nft', startedAtMs: -1, nowMs: Number.MAX_SAFE_INTEGER },
    stands: {
      applied: { revision: 3, hash: 'a'.repeat(64) },
      ...{ state: 'observed', mode: 'observe', rules: null, nack: { revision: 3, code: 'EDW_ERR_X', message: long } },
    },
    guard: {
      state: 'contended',
      drift: Array.from({ length: 50 }, (_, at) => `${at} ${long}`),
      repairs: { count: 9, last: { at: '2026-11-23T00:00:00.000Z', words: long, process: long } },
      warnings: ['twice', long],
    },
    denials: { denied: 1, sampled: 1, notSampled: 0, netlinkDrops: 0, pending: 0, gaps: 0 },
    outgoing,
    ...{ certificateEnds: '2026-12-23T00:00:00.000Z', warnings: ['twice'] },
  });
  const parsed = hostReportSchema.safeParse(report);
  t.ok(parsed.success, JSON.stringify(parsed.error?.issues));
  t.strictSame(parsed.data, report, 'and all of it is read');
  t.strictSame([report.outgoing, 'outgoing' in report.denials], [outgoing, false]);
  t.equal(report.state, 'contended');
  t.equal(report.drift.length, 20);
  t.equal(report.warnings.filter((words) => words === 'twice').length, 1);
});
