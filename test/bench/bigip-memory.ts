/**
 * Peak memory of the driver with a million records, in a process that does nothing else: the process itself, the compiled
 * policy, and whatever laying out, writing and comparing take. What compiles a policy is not in it.
 */
import type { Bench, Benchmark } from './benchmark.ts';
import { startBox } from './bigip-box.ts';
import { startDriverProcess } from './bigip-driver.ts';
import type { ObjectOrder } from './bigip-policies.ts';
import { fixed } from './statistics.ts';

const RECORDS = 1_000_000;
const MEGA = 1e6;

interface Shape {
  words: string;
  order: Pick<ObjectOrder, 'family' | 'proxies'>;
  nodeArguments: string[];
}

const SHAPES: Shape[] = [
  { words: 'IPv4', order: { family: 4, proxies: false }, nodeArguments: [] },
  { words: 'IPv6, all of one /48', order: { family: 6, proxies: false }, nodeArguments: [] },
  { words: 'IPv4, with trusted proxies among them', order: { family: 4, proxies: true }, nodeArguments: [] },
  {
    words: 'IPv4, node --max-semi-space-size=16',
    order: { family: 4, proxies: false },
    nodeArguments: ['--max-semi-space-size=16'],
  },
];

export const bigipMemory: Benchmark = {
  name: 'bigip-memory',
  measures: `peak memory of the BIG-IP driver with ${RECORDS.toLocaleString('en')} records`,
  async run(bench) {
    const rows: string[][] = [];
    for (const shape of SHAPES) {
      bench.progress(shape.words);
      rows.push([shape.words, ...(await measureShape(bench, shape)).map((bytes) => fixed(bytes / MEGA))]);
    }
    return {
      state: 'measured',
      tables: [{ head: ['MB (VmHWM)', 'before', 'policy applied', 'one source added'], rows }],
      notes: [
        'Of the whole process: Node and the modules, loaded from source; the compiled policy, read from a file; the driver. The simulator is another process.',
        'The last column holds two policies of a million records each, the one in force and the next. Most of what it adds is room that V8 gives young objects (up to 128 MB) before it collects them; the last row bounds that.',
      ],
    };
  },
};

async function measureShape(bench: Bench, { order, nodeArguments }: Shape): Promise<number[]> {
  const box = await startBox(bench, { dataPlane: false });
  const driver = await startDriverProcess(bench, box.access, nodeArguments);
  const object = { name: '/Common/vs_0', set: 0, protocol: 'http', mode: 'enforce', path: '/v0/*', ...order } as const;
  const peaks = [await driver.peakBytes()];
  for (const [index, records] of [RECORDS, RECORDS + 1].entries()) {
    await driver.apply({ revision: index + 1, objects: [{ ...object, records }] });
    peaks.push(await driver.peakBytes());
  }
  await driver.stop();
  await box.close();
  return peaks;
}
