/** Who is at an address: read whole or not at all, never more of it than fits, and never in the way of anything. */
import { formatAddress, parseAddress } from '@edgeward/policy';
import { type Inventory, storeFailure, type Transport } from '@edgeward/policy-feed';
import { createLogger } from '@edgeward/runtime';
import t, { type Test } from 'tap';
import { createManualClock, type ManualClock } from '../../runtime/test/fixtures/manual-clock.ts';
import { followWorkloadNames, type WorkloadNames } from '../src/store/workload-names.ts';

const line = (name: string, address: string, labels: object = { app: 'crm' }): string =>
  JSON.stringify({ kind: 'Workload', name, labels, addresses: [address] });

interface Stage {
  names: WorkloadNames;
  clock: ManualClock;
  /** What is there; null: the store is away. */
  lines: readonly string[] | null;
  etag: string;
  /** What it was asked by, each time. */
  asked: (string | null)[];
  events: string[];
  at(address: string): string[];
}

function stage(t: Test, lines: Stage['lines']): Stage {
  const clock = createManualClock();
  const it: Stage = {
    ...{ clock, lines, etag: '"1"', asked: [], events: [] },
    at: (address) => it.names.at(parseAddress(address) ?? '').map(({ name }) => name),
    names: null as unknown as WorkloadNames,
  };
  const transport: Pick<Transport, 'name' | 'inventory'> = {
    name: 'https://store.test',
    async inventory(known): Promise<Inventory | null> {
      it.asked.push(known);
      if (it.lines === null) throw storeFailure('EDW_ERR_STORE_UNREACHABLE', 'asking: away');
      return known === it.etag ? null : { etag: it.etag, lines: inBatches(it.lines) };
    },
  };
  const write = (text: string): void => void it.events.push((JSON.parse(text) as { event: string }).event);
  const logger = createLogger({ level: 'info', destination: { write } });
  it.names = followWorkloadNames({ transport: transport as Transport, clock, logger, random: () => 0.5 });
  t.teardown(() => it.names.close());
  return it;
}

/** Time goes on, and lets what takes several turns come to its end in between. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let step = 0; step < 20; step += 1) {
    await clock.advance(ms / 20);
    for (let turn = 0; turn < 8; turn += 1) await clock.rest();
  }
}

async function* inBatches(lines: readonly string[]): AsyncGenerator<readonly string[]> {
  for (let at = 0; at < lines.length; at += 1_000) yield lines.slice(at, at + 1_000);
}

t.test('names are there when they were asked for once, and follow what changes about once a minute', async (t) => {
  const it = stage(t, [line('crm-1', '10.30.1.1'), line('crm-2', '2001:db8::2')]);
  await it.names.asked();
  t.strictSame(it.at('10.30.1.1'), ['crm-1']);
  t.match(it.names.at(parseAddress('2001:db8::2') ?? ''), [{ name: 'crm-2', labels: { app: 'crm' } }]);
  t.strictSame(it.at('10.30.1.9'), []);
  await it.clock.advance(59_000);
  t.strictSame(it.asked, [null]);
  await it.clock.advance(1_000);
  t.strictSame(it.asked, [null, '"1"'], 'by what is held');
  it.lines = [line('crm-3', '10.30.1.1')];
  it.etag = '"2"';
  await it.clock.advance(60_000);
  t.strictSame(it.at('10.30.1.1'), ['crm-3']);
});

t.test(
  'an address of several workloads has all of their names, and not of more than one denial can hold',
  async (t) => {
    const it = stage(
      t,
      Array.from({ length: 1_000 }, (_, i) => line(`crm-${i}`, '10.30.1.1')),
    );
    await it.names.asked();
    t.equal(it.at('10.30.1.1').length, 64);
  },
);

const refused: Record<string, string[]> = {
  'no JSON': ['{"kind":"Workload"'],
  'a key twice': ['{"kind":"Workload","name":"a","name":"b","labels":{},"addresses":[]}'],
  'a key that there is not': [JSON.stringify({ kind: 'Workload', name: 'a', labels: {}, addresses: [], more: 1 })],
  'a name that is none': [line('a b', '10.30.1.1')],
  'an address that is none': [line('a', '10.30.1.256')],
  'a label that is none': [line('a', '10.30.1.1', { 'a b': 'c' })],
  'a prototype': ['{"kind":"Workload","name":"a","labels":{"__proto__":"x"},"addresses":["10.30.1.1"]}'],
  policy: [JSON.stringify({ kind: 'Network', name: 'a', cidrs: ['10.0.0.0/8'] })],
  'a name twice, far apart': [
    ...Array.from({ length: 3_000 }, (_, i) => line(`w-${i}`, '10.30.1.1')),
    line('w-0', '10.30.1.2'),
  ],
  'nothing at all': [''],
};

for (const [name, lines] of Object.entries(refused))
  t.test(`with ${name} in it, nothing of it counts, the names that there were stay, and it is told once`, async (t) => {
    const it = stage(t, [line('crm-1', '10.30.1.1')]);
    await it.names.asked();
    it.lines = [line('good', '10.30.1.7'), ...lines];
    it.etag = '"2"';
    await pass(it.clock, 200_000);
    t.strictSame([it.at('10.30.1.1'), it.at('10.30.1.7')], [['crm-1'], []]);
    t.ok(it.asked.length > 2, 'it is asked for again');
    t.strictSame(it.events, ['names_not_read']);
    it.lines = [line('crm-2', '10.30.1.1')];
    await pass(it.clock, 200_000);
    t.strictSame(it.at('10.30.1.1'), ['crm-2']);
  });

t.test('a store that is away takes no name away', async (t) => {
  const it = stage(t, [line('crm-1', '10.30.1.1')]);
  await it.names.asked();
  it.lines = null;
  await it.clock.advance(300_000);
  t.strictSame(it.at('10.30.1.1'), ['crm-1']);
  t.ok(it.asked.length > 3);
  t.strictSame(it.events, [], 'which is told by who follows it');
});

t.test('a first question without an answer keeps nobody waiting', async (t) => {
  const it = stage(t, null);
  await it.names.asked();
  t.strictSame(it.at('10.30.1.1'), []);
  it.lines = [line('crm-1', '10.30.1.1')];
  await it.clock.advance(5_000);
  t.strictSame(it.at('10.30.1.1'), ['crm-1']);
});

t.test(
  'after a change they are asked for at once where they are few, and a large inventory waits for its turn',
  async (t) => {
    const few = stage(t, [line('crm-1', '10.30.1.1')]);
    await few.names.asked();
    Object.assign(few, { lines: [line('crm-2', '10.30.1.1')], etag: '"2"' });
    for (let again = 0; again < 5; again += 1) few.names.changed();
    await pass(few.clock, 1_000);
    t.strictSame([few.at('10.30.1.1'), few.asked.length], [['crm-2'], 2]);
    await pass(few.clock, 62_000);
    t.equal(few.asked.length, 3, 'and then as before');

    const many = stage(
      t,
      Array.from({ length: 20_000 }, (_, i) => line(`w-${i}`, '10.30.1.1')),
    );
    await many.names.asked();
    many.names.changed();
    await pass(many.clock, 10_000);
    t.equal(many.asked.length, 1);
    await pass(many.clock, 60_000);
    t.equal(many.asked.length, 2);
  },
);

t.test('a hundred thousand workloads fit, and are not asked for as often as a few', async (t) => {
  const lines = Array.from({ length: 100_000 }, (_, i) => {
    const address = formatAddress((0x0a000000 + i).toString(16).padStart(8, '0'));
    return line(`workload-${i}`, address, { app: `app-${i % 400}`, env: 'prod', loc: `dc-${i % 7}`, role: 'api' });
  });
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  const it = stage(t, lines);
  await it.names.asked();
  globalThis.gc?.();
  const megabytes = (process.memoryUsage().heapUsed - before) / 1024 / 1024;
  t.ok(megabytes < 150, `${Math.round(megabytes)} MB`);
  t.strictSame(it.at('10.1.134.159'), ['workload-99999']);
  await it.clock.advance(100_000);
  t.equal(it.asked.length, 1);
  await it.clock.advance(100_000);
  t.equal(it.asked.length, 2);
});

t.test('closing ends it, also in the middle of reading', async (t) => {
  const it = stage(
    t,
    Array.from({ length: 50_000 }, (_, i) => line(`w-${i}`, '10.30.1.1')),
  );
  await new Promise((resolve) => setImmediate(resolve));
  await it.names.close();
  const asked = it.asked.length;
  await it.clock.advance(600_000);
  t.equal(it.asked.length, asked);
  t.strictSame(it.at('10.30.1.1'), []);
});
