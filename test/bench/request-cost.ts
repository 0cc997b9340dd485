/**
 * What a verdict costs NGINX: CPU time of the one worker per request, of a protected server against a bare one beside it
 * in the same NGINX. Slices of both are taken in turn, in alternating order, so that what else the machine does falls on
 * both. The generator shares the machine and is the slower half: requests per second say less than CPU per request.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compileDocuments, type Edge, startEdge } from '../kit/index.ts';
import type { Bench, Benchmark, Result } from './benchmark.ts';
import { type Connection, getRequest, openConnection } from './connection.ts';
import { fixed, median, quantile } from './statistics.ts';

const rounds = 21;
const sliceMs = 250;
const connections = 16;
const request = getRequest('/v1/orders/7');

interface Variant {
  name: string;
  server: string;
  source: string;
  status: number;
}

const bare: Variant = { name: 'bare server', server: 'bare', source: '127.0.4.1', status: 200 };
const variants: Variant[] = [
  { name: 'allowed by address', server: 'by-address', source: '127.0.4.1', status: 200 },
  { name: 'allowed by an HTTP condition', server: 'by-request', source: '127.0.4.1', status: 200 },
  { name: 'denied, with its log line', server: 'by-address', source: '127.0.4.2', status: 403 },
];

export const requestCost: Benchmark = {
  name: 'request-cost',
  measures: 'worker CPU per request of a protected server, against a bare server in the same NGINX',
  async run(bench) {
    const edge = await startEdge(bench, {
      workers: 1,
      zoneSize: '32m',
      extra: 'keepalive_requests 100000000;',
      // empty_gif answers in the content phase; `return` in a location would skip the phases that a real site goes through.
      servers: ['bare', 'by-address', 'by-request'].map((name) => ({
        name,
        protect: name !== 'bare',
        root: false,
        extra: 'location / { empty_gif; }',
      })),
    });
    await edge.point().apply(compileDocuments(documents(), { revision: 1 }));
    const worker = await workerPid(edge);
    const results = [];
    for (const variant of variants) {
      results.push({ variant, pairs: await compare(bench, edge, worker, variant) });
      bench.progress(`${variant.name}: done`);
    }
    return resultOf(results, await sourcesHeld(edge));
  },
};

/** 10,000 workloads in 50 networks of /16, of which the asking source is one, and 199 neighbours of it. */
function documents(): unknown[] {
  const workloads = Array.from({ length: 10_000 }, (_, i) => ({
    kind: 'Workload',
    name: `w-${i}`,
    labels: { app: 'crm' },
    addresses: [
      i === 0
        ? '127.0.4.1'
        : i < 200
          ? `127.0.${5 + (i >> 3)}.${(i & 7) * 2}`
          : `10.${i % 49}.${(i >> 6) & 255}.${(i & 63) * 2}`,
    ],
  }));
  const server = (name: string): object => ({
    kind: 'VirtualServer',
    name,
    labels: { app: name },
    point: 'edge-1',
    bind: name,
    ports: ['tcp/443'],
    mode: 'enforce',
  });
  const rule = (to: string, more: object): object => ({
    id: to,
    from: [{ workloads: "app == 'crm'" }],
    to: `app == '${to}'`,
    ...more,
  });
  const http = [{ methods: ['GET', 'POST'], path: '/v1/orders/*', hosts: ['shop.example'] }];
  const rules = [rule('by-address', {}), rule('by-request', { http })];
  return [...workloads, server('by-address'), server('by-request'), { kind: 'Policy', name: 'p', rules }];
}

interface Slice {
  cpuMicros: number;
  perSecond: number;
}

interface Pair {
  bare: Slice;
  variant: Slice;
}

async function compare(bench: Bench, edge: Edge, worker: number, variant: Variant): Promise<Pair[]> {
  const pools = { bare: await pool(bench, edge, bare), variant: await pool(bench, edge, variant) };
  const take = { bare: () => slice(pools.bare, worker, bare), variant: () => slice(pools.variant, worker, variant) };
  // Thrown away: the first requests of both sides pay for what is warm later.
  await take.bare();
  await take.variant();
  const pairs: Pair[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const first = round % 2 === 0 ? await take.bare() : null;
    const own = await take.variant();
    pairs.push({ bare: first ?? (await take.bare()), variant: own });
  }
  for (const connection of [...pools.bare, ...pools.variant]) connection.close();
  return pairs;
}

async function pool(bench: Bench, edge: Edge, { server, source }: Variant): Promise<Connection[]> {
  const port = edge.ports[server] ?? 0;
  const opened = await Promise.all(Array.from({ length: connections }, () => openConnection(port, source)));
  bench.teardown(async () => {
    for (const connection of opened) connection.close();
  });
  return opened;
}

async function slice(pool: Connection[], worker: number, { name, status }: Variant): Promise<Slice> {
  let asked = 0;
  const cpuBefore = await cpuMicros(worker);
  const from = performance.now();
  const until = from + sliceMs;
  const run = async (connection: Connection): Promise<void> => {
    while (performance.now() < until) {
      const found = await connection.ask(request);
      if (found !== status) throw new Error(`${name}: status ${found} instead of ${status}`);
      asked += 1;
    }
  };
  await Promise.all(pool.map(run));
  const seconds = (performance.now() - from) / 1000;
  return { cpuMicros: ((await cpuMicros(worker)) - cpuBefore) / asked, perSecond: asked / seconds };
}

/** Time on a CPU, of the worker's only thread: the first field of schedstat, in nanoseconds. */
async function cpuMicros(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/schedstat`, 'utf8');
  return Number(text.split(' ')[0]) / 1000;
}

async function workerPid(edge: Edge): Promise<number> {
  const master = (await readFile(join(edge.paths.folder, 'nginx.pid'), 'utf8')).trim();
  const children = await readFile(`/proc/${master}/task/${master}/children`, 'utf8');
  const [worker, ...others] = children.trim().split(' ').map(Number);
  if (worker === undefined || others.length > 0) throw new Error(`NGINX has the workers ${children}`);
  return worker;
}

async function sourcesHeld(edge: Edge): Promise<string> {
  const keys = (await edge.push({ call: 'keys' })).body as string[];
  return `10,000 source addresses in ${keys.length} entries, 200 of them in the /16 of the asking source`;
}

function resultOf(results: { variant: Variant; pairs: Pair[] }[], sources: string): Result {
  const rows = results.map(({ variant, pairs }) => {
    const extra = pairs.map((pair) => pair.variant.cpuMicros - pair.bare.cpuMicros);
    const rate = (of: (pair: Pair) => number): string => fixed(median(pairs.map(of)));
    return [
      variant.name,
      rate((pair) => pair.bare.cpuMicros),
      rate((pair) => pair.variant.cpuMicros),
      `${fixed(median(extra))} (${fixed(quantile(extra, 0.25))} – ${fixed(quantile(extra, 0.75))})`,
      rate((pair) => pair.bare.cpuMicros / pair.variant.cpuMicros),
      rate((pair) => pair.variant.perSecond),
      rate((pair) => pair.variant.perSecond / pair.bare.perSecond),
    ];
  });
  return {
    state: 'measured',
    tables: [
      {
        head: [
          '',
          'bare µs',
          'protected µs',
          'added µs, median (quartiles)',
          'CPU ratio',
          'requests/s',
          'requests/s ratio',
        ],
        rows,
      },
    ],
    notes: [
      `${rounds} pairs of ${sliceMs} ms slices for each row, ${connections} kept connections, one worker; ${sources}.`,
      'µs: worker CPU per request. Ratios: bare ÷ protected for CPU, protected ÷ bare for requests per second; 1 is no difference.',
      'The generator is one Node process on the same machine. At the bare server it is at its own limit, which flatters the ratio of requests per second a little.',
    ],
  };
}
