/** What NGINX costs and how fast it is changed, beside what people would use instead: `npm run bench:nginx`. */
import type { Benchmark } from './benchmark.ts';
import { nginxChanges } from './nginx-changes.ts';
import { nginxCost } from './nginx-cost.ts';
import { nginxProxied } from './nginx-proxied.ts';

export const nginxBenchmarks: readonly Benchmark[] = [nginxCost, nginxProxied, nginxChanges];
