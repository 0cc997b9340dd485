/** What `edgeward agent status` reads, while it is being written. */
import { readdir } from 'node:fs/promises';
import { createLogger } from '@edgeward/runtime';
import t from 'tap';
import { type AgentStatus, readAgentStatus } from '../../src/index.ts';
import { createStatusFile } from '../../src/status-file.ts';

/** Of very different lengths, so that two in one file make no JSON. */
const statusOf = (n: number): AgentStatus =>
  ({
    ...{ point: 'host-db', pid: process.pid, at: String(n), service: { urls: [], reachedAt: null, error: null } },
    report: { warnings: ['x'.repeat((n % 7) * 40_000)] },
  }) as unknown as AgentStatus;

t.test('many writes at once leave the last one whole, and warn of nothing', async (t) => {
  const dir = t.testdir({});
  const said: string[] = [];
  const logger = createLogger({ level: 'warn', destination: { write: (line) => said.push(line) } });
  const file = createStatusFile(dir, logger);
  const writes = Array.from({ length: 60 }, (_, n) => file.write(statusOf(n)));
  await Promise.all(writes);
  t.strictSame(said, [], 'no warning');
  t.strictSame(await readdir(dir), ['status.json'], 'nothing lies beside it');
  t.strictSame(await readAgentStatus(dir), statusOf(59));
  const last = file.write(statusOf(60));
  await Promise.all([last, file.remove()]);
  t.strictSame(await readdir(dir), [], 'what is under way does not come back after the end');
});
