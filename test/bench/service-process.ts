/** A running sync service, seen from outside: its log events with their times, its memory, its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { NO_SINKS } from '@edgeward/audit-collector';
import type { ServiceConfig } from '@edgeward/sync-service';
import type { Edge } from '../kit/index.ts';
import type { Bench } from './benchmark.ts';

export interface LogEvent {
  event: string;
  /** Milliseconds since the epoch, whole: the service's log has no finer time. */
  atMs: number;
  /** Where the event ends something: how long that took. */
  tookMs: number;
  fields: Record<string, unknown>;
}

export interface ServiceProcess {
  startedAtMs: number;
  events: LogEvent[];
  /** The first such event at or after `sinceMs`; waits for it, 60 s at most. */
  event(name: string, sinceMs?: number): Promise<LogEvent>;
  /** Peak resident memory since the start, in bytes (VmHWM of proc(5)). */
  peakBytes(): Promise<number>;
  stop(): Promise<void>;
}

const child = fileURLToPath(new URL('./service-child.ts', import.meta.url));
const patienceMs = 60_000;

export function startServiceProcess(bench: Bench, config: ServiceConfig): ServiceProcess {
  const args = ['--conditions=edgeward-source', ...nodeArguments(), child, JSON.stringify(config)];
  const startedAtMs = Date.now();
  const running = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'pipe'] });
  const events: LogEvent[] = [];
  const odd: string[] = [];
  createInterface({ input: running.stderr }).on('line', (line) => {
    const event = eventOf(line);
    if (event === null) odd.push(line);
    else events.push(event);
  });
  const stop = (): Promise<void> => end(running);
  bench.teardown(stop);
  return {
    startedAtMs,
    events,
    event: (name, sinceMs = 0) => firstEvent(running, events, odd, name, sinceMs),
    peakBytes: async () => {
      const status = await readFile(`/proc/${running.pid}/status`, 'utf8');
      return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) * 1024;
    },
    stop,
  };
}

/** The service for one NGINX, with its state beside it. */
export function serviceConfigFor(edge: Edge, policies: string, apiPort: number): ServiceConfig {
  const stateDir = `${edge.paths.folder}/service`;
  const { tokenFile, denyLog, lastKnownFile } = edge.paths;
  return {
    policies,
    store: null,
    stateDir,
    points: [
      {
        name: 'edge-1',
        push: edge.pushUrl,
        tls: null,
        streamPush: null,
        native: null,
        tokenFile,
        denyLog,
        lastKnownFile,
        onDrift: 'repair',
        proof: { mode: 'off', everyMs: 60_000, objects: {} },
      },
    ],
    bigips: [],
    hosts: null,
    api: { host: '127.0.0.1', port: apiPort, tokenFile: `${stateDir}/api-token` },
    retainDays: 30,
    retainRollupDays: 400,
    ledger: { kind: 'sqlite', file: `${stateDir}/ledger.db` },
    metrics: null,
    sinks: NO_SINKS,
    logLevel: 'debug',
  };
}

/** `EDGEWARD_BENCH_NODE='--cpu-prof --cpu-prof-dir=/tmp/prof'`: further arguments of its Node, to see where time goes. */
function nodeArguments(): string[] {
  return (process.env.EDGEWARD_BENCH_NODE ?? '').split(' ').filter((argument) => argument !== '');
}

async function firstEvent(
  running: ChildProcess,
  events: LogEvent[],
  odd: string[],
  name: string,
  sinceMs: number,
): Promise<LogEvent> {
  const deadlineMs = performance.now() + patienceMs;
  while (performance.now() < deadlineMs) {
    const found = events.find((it) => it.event === name && it.atMs >= sinceMs);
    if (found !== undefined) return found;
    if (running.exitCode !== null) break;
    await sleep(5);
  }
  const said = [...odd, ...events.slice(-5).map(({ fields }) => JSON.stringify(fields))].join('\n');
  throw new Error(`the service did not log ${name}; it said:\n${said}`);
}

function eventOf(line: string): LogEvent | null {
  try {
    const fields = JSON.parse(line) as Record<string, unknown>;
    const { event, time, tookMs } = fields;
    return { event: String(event), atMs: Date.parse(String(time)), tookMs: Number(tookMs ?? 0), fields };
  } catch {
    return null;
  }
}

async function end(running: ChildProcess): Promise<void> {
  if (running.exitCode !== null || running.signalCode !== null) return;
  const ended = new Promise((resolve) => running.once('exit', resolve));
  running.kill('SIGTERM');
  const late = setTimeout(() => running.kill('SIGKILL'), 15_000);
  await ended;
  clearTimeout(late);
}
