/** All clients of a fleet, in a few processes: which of them have what, and since when. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from './benchmark.ts';
import { monotonicMs } from './fleet-clock.ts';
import type { Applied, ClientsStatus, ClientTask, ClientWay, FromClients, ToClients, Wire } from './fleet-messages.ts';
import { type FleetProcess, type Memory, startFleetProcess } from './fleet-processes.ts';

export interface FleetClients {
  readonly count: number;
  /** Resolves with the time when they were told to. */
  start(): Promise<number>;
  /** Settles when each of these points has applied something since then; `limitMs` at most. */
  applied(points: ReadonlySet<number>, sinceMs: number, limitMs: number): Promise<Reached>;
  countWire(): void;
  /** Since it was asked for last. */
  wire(): Promise<Wire>;
  status(): Promise<ClientsStatus>;
  /** Of each process. */
  memory(): Promise<Memory[]>;
  processorSeconds(): Promise<number>;
  stop(): Promise<void>;
}

export interface Reached {
  /** How long after `sinceMs`, of those that have. */
  tookMs: number[];
  /** Those that have not. */
  missing: number;
  /** Others that applied something. */
  others: number;
}

export interface FleetClientsOptions {
  count: number;
  perProcess: number;
  way: ClientWay;
  certificates: string;
}

const LOOK_MS = 10;

/** Ready, and not started. */
export async function openClients(bench: Bench, options: FleetClientsOptions): Promise<FleetClients> {
  const { count, perProcess, way, certificates } = options;
  const last = new Map<number, Applied>();
  const processes: FleetProcess<FromClients, ToClients>[] = [];
  for (let first = 0; first < count; first += perProcess) {
    const task: ClientTask = { first, count: Math.min(perProcess, count - first), way, certificates };
    processes.push(startFleetProcess(bench, 'fleet-child.ts', [JSON.stringify(task)]));
  }
  let failure: string | null = null;
  for (const it of processes)
    it.on((message) => {
      if (message.is === 'applied') for (const one of message.applied) last.set(one.point, one);
      if (message.is === 'failed') failure = message.message;
    });
  await Promise.all(processes.map((it) => it.next('ready')));

  function reached(points: ReadonlySet<number>, sinceMs: number): Reached {
    const found = [...last.values()].filter(({ atMs }) => atMs > sinceMs);
    const own = found.filter(({ point }) => points.has(point));
    const tookMs = own.map(({ atMs }) => atMs - sinceMs);
    return { tookMs, missing: points.size - own.length, others: found.length - own.length };
  }

  return {
    count,
    async start() {
      const atMs = monotonicMs();
      for (const it of processes) it.tell({ do: 'start' });
      return atMs;
    },
    async applied(points, sinceMs, limitMs) {
      const untilMs = sinceMs + limitMs;
      for (;;) {
        if (failure !== null) throw new Error(`the clients failed: ${failure}`);
        const now = reached(points, sinceMs);
        if (now.missing === 0 || monotonicMs() >= untilMs) return now;
        await sleep(LOOK_MS);
      }
    },
    countWire() {
      for (const it of processes) it.tell({ do: 'count' });
    },
    wire: async () => summedWire(await answers(processes, 'wire', (message) => message.wire)),
    async status() {
      const all = await answers(processes, 'status', (message) => message.status);
      const errors: ClientsStatus['errors'] = {};
      for (const it of all) for (const [code, n] of Object.entries(it.errors)) errors[code] = (errors[code] ?? 0) + n;
      return {
        errors,
        revisions: all.flatMap(({ revisions }) => revisions),
        snapshots: all.reduce((sum, { snapshots }) => sum + snapshots, 0),
        deltas: all.reduce((sum, { deltas }) => sum + deltas, 0),
      };
    },
    memory: () => Promise.all(processes.map((it) => it.memory())),
    async processorSeconds() {
      const all = await Promise.all(processes.map((it) => it.processorSeconds()));
      return all.reduce((sum, it) => sum + it, 0);
    },
    stop: async () => void (await Promise.all(processes.map((it) => it.stop()))),
  };
}

async function answers<K extends 'wire' | 'status', T>(
  processes: FleetProcess<FromClients, ToClients>[],
  kind: K,
  read: (message: Extract<FromClients, { is: K }>) => T,
): Promise<T[]> {
  const asked = processes.map(async (it) => {
    const answer = it.next(kind);
    it.tell({ do: kind });
    return read(await answer);
  });
  return Promise.all(asked);
}

export function summedWire(all: Wire[]): Wire {
  const sum: Wire = {};
  for (const wire of all)
    for (const [kind, { requests, sentBytes, receivedBytes }] of Object.entries(wire)) {
      sum[kind] ??= { requests: 0, sentBytes: 0, receivedBytes: 0 };
      sum[kind].requests += requests;
      sum[kind].sentBytes += sentBytes;
      sum[kind].receivedBytes += receivedBytes;
    }
  return sum;
}
