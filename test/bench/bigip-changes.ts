/**
 * What a change of policy sends to a BIG-IP, as the box counts it, against writing everything that it holds of us. The driver
 * runs in a process of its own, the simulator in this one.
 */
import type { SimulatedCall, SimulatedUnit } from '@edgeward/bigip-simulator';
import type { Bench, Benchmark, Table } from './benchmark.ts';
import { startBox } from './bigip-box.ts';
import { type DriverProcess, startDriverProcess } from './bigip-driver.ts';
import type { ObjectOrder, PolicyOrder } from './bigip-policies.ts';
import { fixed } from './statistics.ts';

interface Size {
  /** In the set of each object. */
  records: number;
  objects: number;
}

const SIZES: Size[] = [
  { records: 10, objects: 4 },
  { records: 1_000, objects: 4 },
  { records: 10_000, objects: 4 },
  { records: 50_000, objects: 4 },
  { records: 100_000, objects: 4 },
  { records: 1_000_000, objects: 2 },
];

interface Sent {
  calls: number;
  writes: number;
  bytes: number;
}

interface Row extends Sent {
  size: Size;
  change: string;
  full: Sent;
}

export const bigipChanges: Benchmark = {
  name: 'bigip-changes',
  measures: 'writes and bytes to a BIG-IP for each change, against replacing everything that it holds of us',
  async run(bench) {
    const rows: Row[] = [];
    for (const size of SIZES) {
      bench.progress(`${size.objects} sets of ${size.records.toLocaleString('en')} records`);
      rows.push(...(await measureSize(bench, size)));
    }
    return {
      state: 'measured',
      tables: [tableOf(rows)],
      notes: [
        'Everything: the policy written to a box that holds the two rules and nothing else of ours. Each object has a set of its own of single addresses, four rules and a request group.',
        'Writes: every call that is no GET, as the simulator counts them; bytes: of their bodies. Logins are not counted. Eight writes belong to any change: a validate-only transaction of four, the switch, and two saves with the note of what was saved between them.',
        'Groups are immutable, so one more source writes the set of its object anew, and those of others stay. Above 50,000 records a set is a file, sent in pieces of 512 KiB: the 50,001st makes it one.',
        'What is read back is not in the bytes: an internal set is read once after it was written, a file is compared by its checksum.',
      ],
    };
  },
};

/** Each step changes the one before it in one place. */
function steps({ records, objects }: Size): [change: string, policy: PolicyOrder][] {
  const plain = Array.from({ length: objects }, (_, set) => objectOrder(set, records));
  const observed = withFirst(plain, { mode: 'observe' });
  const narrowed = withFirst(observed, { path: '/v0/orders/*' });
  const widened = withFirst(narrowed, { records: records + 1 });
  const policies: [string, ObjectOrder[]][] = [
    ['everything', plain],
    ['mode of one object', observed],
    ["one rule's request condition", narrowed],
    ['one more source of one object', widened],
    ['back to the policy before', narrowed],
  ];
  return policies.map(([change, ordered], index) => [change, { revision: index + 1, objects: ordered }]);
}

function objectOrder(set: number, records: number): ObjectOrder {
  const name = `/Common/vs_${set}`;
  return { name, set, family: 4, records, protocol: 'http', mode: 'enforce', path: '/v0/*', proxies: false };
}

function withFirst(objects: readonly ObjectOrder[], change: Partial<ObjectOrder>): ObjectOrder[] {
  return objects.map((object, index) => (index === 0 ? { ...object, ...change } : object));
}

async function measureSize(bench: Bench, size: Size): Promise<Row[]> {
  const box = await startBox(bench, { dataPlane: false });
  const driver = await startDriverProcess(bench, box.access);
  const rows: Row[] = [];
  let full: Sent | null = null;
  for (const [change, policy] of steps(size)) {
    const sent = await countApply(box.unit, driver, policy);
    full ??= sent;
    rows.push({ size, change, full, ...sent });
  }
  // A million records of each size, one after the other, would all stay until the end.
  await driver.stop();
  await box.close();
  return rows;
}

async function countApply(unit: SimulatedUnit, driver: DriverProcess, policy: PolicyOrder): Promise<Sent> {
  const before = unit.calls().length;
  const said = await driver.apply(policy);
  const calls = unit
    .calls()
    .slice(before)
    .filter(({ path }) => !/\/shared\/auth[nz]\//.test(path));
  const writes = calls.filter(({ method }) => method !== 'GET');
  const bytes = sumOf(writes);
  if (said.writes !== writes.length || said.bytes !== bytes)
    throw new Error(`the driver counts ${JSON.stringify(said)}, the box ${writes.length} writes of ${bytes} bytes`);
  const rules = writes.filter(({ path }) => path.includes('/ltm/rule'));
  return { calls: calls.length - rules.length, writes: writes.length - rules.length, bytes: bytes - sumOf(rules) };
}

function sumOf(calls: readonly SimulatedCall[]): number {
  return calls.reduce((sum, { bytes }) => sum + bytes, 0);
}

function tableOf(rows: readonly Row[]): Table {
  return {
    head: ['records × objects', 'change', 'calls', 'writes', 'bytes', 'writes ÷ everything', 'bytes ÷ everything'],
    rows: rows.map(({ size, change, calls, writes, bytes, full }) => [
      `${size.records.toLocaleString('en')} × ${size.objects}`,
      change,
      String(calls),
      String(writes),
      bytes.toLocaleString('en'),
      fixed(writes / full.writes),
      share(bytes / full.bytes),
    ]),
  };
}

/** A millionth is something else than nothing. */
function share(ratio: number): string {
  return ratio >= 0.01 ? ratio.toFixed(2) : ratio.toPrecision(1);
}
