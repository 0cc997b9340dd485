/** A simulated BIG-IP to measure against: its virtual servers, and how a driver reaches it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SimulatedUnit, type SimulatorOptions, startSimulator } from '@edgeward/bigip-simulator';
import { createLogger } from '@edgeward/runtime';
import type { Bench } from './benchmark.ts';
import type { Access } from './bigip-driver.ts';
import { BENCH_POINT } from './bigip-policies.ts';

export interface Box {
  unit: SimulatedUnit;
  access: Access & { ca: string };
  close(): Promise<void>;
}

/** `config` is tmsh text; the partition is there already. */
export async function startBox(bench: Bench, options: SimulatorOptions): Promise<Box> {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-bench-bigip-'));
  bench.teardown(() => rm(folder, { recursive: true, force: true }));
  const passwordFile = join(folder, 'password');
  await writeFile(passwordFile, 'admin\n', { mode: 0o600 });
  const simulator = await startSimulator({
    logger: createLogger({ level: 'error' }),
    ...options,
    config: `auth partition Edgeward { }\n${options.config ?? ''}`,
  });
  bench.teardown(() => simulator.close());
  const [unit] = simulator.units;
  if (unit === undefined) throw new Error('a simulator without a unit');
  const access = { name: BENCH_POINT, urls: [unit.url], user: 'admin', passwordFile, ca: simulator.ca };
  return { unit, access, close: () => simulator.close() };
}
