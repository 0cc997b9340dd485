/** What the tests of this folder share: lines as NGINX writes them, labels that are easy to tell, waiting that ends. */
import { setTimeout } from 'node:timers/promises';
import type { DenyRecord } from '@edgeward/deny-log';
import { createLogger, createMetrics } from '@edgeward/runtime';
import { denyRecord } from '../../deny-log/test/lines.ts';
import type { Labels } from '../src/deny-event.ts';
import { type CollectorOptions, createCollector } from '../src/index.ts';

export { denyLine, denyLines, denyRecord, refs, t0 } from '../../deny-log/test/lines.ts';

export const labels: Labels = {
  source: (_, address, revision) => ({
    workloads: address === '10.30.1.4' ? ['crm-1'] : [],
    networks: address.startsWith('10.') ? ['office'] : [],
    labels: address === '10.30.1.4' ? { app: 'crm' } : {},
    revision,
  }),
  object: (_point, bind) => (bind === 'order-front' ? { name: 'order-front', labels: { app: 'shop' } } : null),
  nearest: (event) =>
    event.reason === 'unknown-source'
      ? { nearestRule: 'crm-orders', missed: 'source' }
      : { nearestRule: null, missed: null },
};

export type TestOptions = Partial<CollectorOptions> &
  Pick<CollectorOptions, 'logs'> & {
    /** Of SQLite, where no `ledger` is given. */
    ledgerFile?: string;
  };

export const collectorFor = ({ ledgerFile = '', ...options }: TestOptions): ReturnType<typeof createCollector> =>
  createCollector({
    ledger: { kind: 'sqlite', file: ledgerFile },
    labels,
    logger: createLogger({ level: 'silent' }),
    registry: createMetrics({ processMetrics: false }),
    pollIntervalMs: 20,
    // Threads begin slowly: who tests them asks for them.
    ledgerThreads: false,
    ...options,
  });

/** Bounded: says what it waited for when it gives up. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 3000; i += 1) {
    if (await holds()) return;
    await setTimeout(10);
  }
  throw new Error(`gave up waiting until ${what}`);
}

export interface Numbering {
  tmm?: number | string;
  epoch?: string;
  seq: number | string;
  suppressed?: number | string;
}

/** As the iRules send it, without a frame. The reference is `ref-SEQ` unless told. */
export const denyMessage = (numbering: Numbering, overrides: Partial<DenyRecord> = {}): string => {
  const { tmm = 0, epoch = '9f3a01bc', seq, suppressed = 0 } = numbering;
  const element = `[edgeward@32473 tmm="${tmm}" epoch="${epoch}" seq="${seq}" suppressed="${suppressed}"]`;
  const record = denyRecord({ ref: `ref-${seq}`, object: '/Common/vs_orders', ...overrides });
  return `<134>1 - bigip-a.example edgeward - deny ${element} ${JSON.stringify(record)}`;
};

/** Numbers FROM … TO-1, a line each. */
export const denyStream = (from: number, to: number, numbering: Partial<Numbering> = {}): string =>
  Array.from({ length: to - from }, (_, i) => `${denyMessage({ ...numbering, seq: from + i })}\n`).join('');

/** How often a property is tried, and the seed that repeats it: EDGEWARD_RUNS, EDGEWARD_SEED. */
export function search(t: { comment(...args: unknown[]): void }, runs: number): { seed: number; numRuns: number } {
  const given = Number(process.env.EDGEWARD_SEED);
  const seed = Number.isInteger(given) && given > 0 ? given : 1 + Math.floor(Math.random() * 0x7ffffffe);
  const times = Number(process.env.EDGEWARD_RUNS ?? 1);
  t.comment(`EDGEWARD_SEED=${seed}`);
  return { seed, numRuns: Math.ceil(runs * (times > 0 ? times : 1)) };
}
