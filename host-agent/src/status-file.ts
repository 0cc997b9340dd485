/**
 * What `edgeward agent status` shows: the last report, and how the service was met, in a folder that is gone with the machine's
 * memory; and the same as metrics, for a node exporter. Nobody decides anything by it, so a failure to write it is told once and is no failure.
 */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createWorkQueue, EdgewardError, type Logger, messageOf, systemCodeOf } from '@edgeward/runtime';
import type { HostReport } from '../protocol/index.ts';
import { agentMetricsText } from './agent-metrics.ts';

export interface AgentStatus {
  point: string;
  pid: number;
  /** ISO. */
  at: string;
  service: ServiceContact;
  /** ISO time of the oldest denial that waits for the service; null: none waits. */
  waitingSince: string | null;
  report: HostReport;
}

export interface ServiceContact {
  urls: readonly string[];
  /** ISO; null: not since the agent started. */
  reachedAt: string | null;
  /** Null while it is reached. */
  error: { code: string; message: string } | null;
}

const FILE = 'status.json';
/** Of this ending are the files that a node exporter reads. */
const METRICS = 'metrics.prom';

export function createStatusFile(
  runtimeDir: string,
  logger: Logger,
): { write(status: AgentStatus): Promise<void>; remove(): Promise<void> } {
  const path = join(runtimeDir, FILE);
  const metrics = join(runtimeDir, METRICS);
  // Two at once would write into one file.
  const queue = createWorkQueue();
  let told = false;

  async function write(status: AgentStatus): Promise<void> {
    try {
      await mkdir(runtimeDir, { recursive: true, mode: 0o755 });
      await replace(path, `${JSON.stringify(status)}\n`);
      await replace(metrics, agentMetricsText(status));
      told = false;
    } catch (thrown) {
      if (!told) logger.warn({ event: 'status_not_written', path, err: thrown }, messageOf(thrown));
      told = true;
    }
  }

  return {
    write: (status) => queue.run(() => write(status)),
    remove: () =>
      queue
        .run(() => Promise.all([path, metrics].map((file) => rm(file, { force: true }))))
        .then(
          () => {},
          () => {},
        ),
  };
}

async function replace(path: string, text: string): Promise<void> {
  // Another agent that still ends writes beside it.
  const unfinished = `${path}.${process.pid}.new`;
  await writeFile(unfinished, text, { mode: 0o644 });
  await rename(unfinished, path);
}

/** Null where no agent runs, or its folder is another one. Throws EDW_ERR_STATE_READ. */
export async function readAgentStatus(runtimeDir: string): Promise<AgentStatus | null> {
  const path = join(runtimeDir, FILE);
  try {
    const status = JSON.parse(await readFile(path, 'utf8')) as AgentStatus;
    return isRunning(status.pid) ? status : null;
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ENOENT') return null;
    throw new EdgewardError('EDW_ERR_STATE_READ', `reading ${path}: ${messageOf(thrown)}`, {
      mend: 'Run the command as root, or as the user of the agent.',
      cause: thrown,
    });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return systemCodeOf(thrown) === 'EPERM';
  }
}
