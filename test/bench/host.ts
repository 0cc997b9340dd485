/** What protecting a host costs and how well it is done: `npm run bench:host`. */
import type { Benchmark } from './benchmark.ts';
import { hostAgent } from './host-agent.ts';
import { hostApply } from './host-apply.ts';
import { hostConnections } from './host-connections.ts';
import { hostDenials } from './host-denials.ts';
import { hostRepair } from './host-repair.ts';
import { hostVerdicts } from './host-verdicts.ts';

export const hostBenchmarks: readonly Benchmark[] = [
  hostApply,
  hostVerdicts,
  hostConnections,
  hostRepair,
  hostDenials,
  hostAgent,
];
