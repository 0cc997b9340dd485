/** What benchmarks of a host share: a host in a namespace, or why there is none; processes in it; what processes cost. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { HostOptions } from '@edgeward/host-agent';
import { startHost, type TestHost } from '../kit/index.ts';
import type { Bench, Result } from './benchmark.ts';

export const OPTIONS: HostOptions = {
  mark: { mask: 0x0fff0000, shift: 16 },
  verdict: 'exclusive',
  publishedPorts: false,
};

/** Skipped where hosts can't be had: they need root, network namespaces and the programs of the packet filter. */
export async function withHost(bench: Bench, measure: (host: TestHost) => Promise<Result>): Promise<Result> {
  if (process.getuid?.() !== 0) return { state: 'skipped', reason: 'hosts as network namespaces need root' };
  const host = await startHost(bench).catch((thrown: unknown) => String(thrown));
  if (typeof host === 'string') return { state: 'skipped', reason: host };
  try {
    return await measure(host);
  } finally {
    await host.close();
  }
}

/** Words before a command that is to run beside the host. */
export function peerOf({ where }: TestHost): string[] {
  return where.map((word) => word.replace(/-host$/, '-peer'));
}

/** A script of this folder in a namespace. Ends with the benchmark. */
export function startScript(bench: Bench, where: readonly string[], script: string, args: string[]): ChildProcess {
  const file = fileURLToPath(new URL(script, import.meta.url));
  const [program = '', ...words] = [...where, process.execPath, '--conditions=edgeward-source', file, ...args];
  const child = spawn(program, words, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  });
  child.on('error', () => {});
  child.stdin?.on('error', () => {});
  bench.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
  });
  return child;
}

/** What it prints until it ends. */
export async function outputOf(child: ChildProcess): Promise<string> {
  let said = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`a process of the benchmark ended with ${code}`);
  return said;
}

export interface CpuMs {
  own: number;
  /** Of children that have ended. */
  children: number;
}

const TICK_MS = 10;

/** Of this process, or another one; by the kernel's ticks of 10 ms. */
export function cpuOf(pid: number | 'self'): CpuMs {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15).map(Number);
  return { own: (user + system) * TICK_MS, children: (childUser + childSystem) * TICK_MS };
}

/** Resident now, and at most until now; in bytes. */
export function memoryOf(pid: number | 'self'): { now: number; peak: number; anonymous: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) * 1024;
  return { now: field('VmRSS'), peak: field('VmHWM'), anonymous: field('RssAnon') };
}
