/**
 * How often the two rules ask a data group, by the size of the sets: each connection and each request counted on its own, as
 * the simulator counts `class` commands.
 */
import { formatAddress } from '@edgeward/policy';
import type { Bench, Benchmark, Table } from './benchmark.ts';
import { openEcho } from './bigip-echo.ts';
import { type BigipEdge, startBigipEdge, withTclsh } from './bigip-edge.ts';
import { addressKey, type ObjectOrder, policyOf } from './bigip-policies.ts';
import { openConnection } from './connection.ts';

const SIZES = [10, 1_000, 10_000, 100_000];
const CONNECTIONS = 24;
const REQUESTS = 5;
/** Classes of an object, so that every one of them is met. */
const CLASSES = 4;
const HTTP = '/Common/vs_0';
const TCP = '/Common/vs_1';
const PROXIED = '/Common/vs_2';

/** Numbers of lookups, one for each time that something was done. */
interface Counted {
  tcpConnections: number[];
  /** A connection with its first request. */
  firstRequests: number[];
  laterRequests: number[];
  /** The first request on a connection after a switch, and the one after it. */
  afterSwitch: number[];
  /** Of a trusted proxy, by the number of forwarded entries: the first request on a connection, and the second. */
  forwarded: [first: number, second: number][];
}

export const bigipLookups: Benchmark = {
  name: 'bigip-lookups',
  measures: "lookups in a BIG-IP's data groups for each connection and each request, by the size of the sets",
  run: (bench) =>
    withTclsh(async () => {
      const columns: Counted[] = [];
      for (const records of SIZES) {
        bench.progress(`${records.toLocaleString('en')} records`);
        columns.push(await count(bench, records));
      }
      return { state: 'measured', tables: [tableOf(columns)], notes: NOTES };
    }),
};

function orders(records: number, path: string): ObjectOrder[] {
  const object = { family: 4, records, protocol: 'http', mode: 'enforce', path, proxies: false } as const;
  return [
    { ...object, name: HTTP, set: 0 },
    { ...object, name: TCP, set: 1, protocol: 'tcp' },
    { ...object, name: PROXIED, set: 2, proxies: true },
  ];
}

async function count(bench: Bench, records: number): Promise<Counted> {
  const edge = await startBigipEdge(bench, {
    virtuals: orders(records, '').map(({ name, protocol }) => ({ bind: name, protocol, rules: 'ours' })),
    policy: policyOf({ revision: 1, objects: orders(records, '/v0/*') }),
    preface: true,
  });
  const counted: Counted = {
    tcpConnections: await countTcp(edge),
    ...(await countRequests(edge)),
    forwarded: [await countForwarded(edge, 1), await countForwarded(edge, 2), await countForwarded(edge, 3)],
    afterSwitch: await countAfterSwitch(edge, records),
  };
  await edge.close();
  return counted;
}

async function lookupsOf(edge: BigipEdge, run: () => Promise<unknown>): Promise<number> {
  const before = await edge.unit.classLookups();
  await run();
  return (await edge.unit.classLookups()) - before;
}

async function countTcp(edge: BigipEdge): Promise<number[]> {
  const { port } = await edge.listener(TCP);
  const counted: number[] = [];
  for (let n = 0; n < CONNECTIONS; n += 1) {
    const lookups = await lookupsOf(edge, async () => {
      const echo = await openEcho(port, '127.0.0.1');
      const back = await echo.ask('hello\n', prefaceOf(addressOf(1, n % CLASSES)));
      if (back !== 'hello\n') throw new Error(`no echo, but ${back}`);
      echo.close();
    });
    counted.push(lookups);
  }
  return counted;
}

async function countRequests(edge: BigipEdge): Promise<Pick<Counted, 'firstRequests' | 'laterRequests'>> {
  const firstRequests: number[] = [];
  const laterRequests: number[] = [];
  for (let n = 0; n < CONNECTIONS; n += 1) {
    const source = n % CLASSES;
    const client = await openClient(edge, HTTP, addressOf(0, source));
    const request = requestFor(source);
    firstRequests.push(await lookupsOf(edge, () => client.ask(request)));
    for (let more = 1; more < REQUESTS; more += 1) {
      laterRequests.push(await lookupsOf(edge, () => client.ask(request)));
    }
    client.close();
  }
  return { firstRequests, laterRequests };
}

async function countAfterSwitch(edge: BigipEdge, records: number): Promise<number[]> {
  const client = await openClient(edge, HTTP, addressOf(0, 1));
  const request = requestFor(1);
  await client.ask(request);
  // Another object changes: the entry of this one differs by its revision alone.
  const [first, ...others] = orders(records, '/v0/*');
  const changed = others.map((object) => ({ ...object, mode: 'observe' as const }));
  await edge.point.apply(policyOf({ revision: 2, objects: first === undefined ? [] : [first, ...changed] }));
  const counted = [await lookupsOf(edge, () => client.ask(request)), await lookupsOf(edge, () => client.ask(request))];
  client.close();
  return counted;
}

/** Places in the third set that lie among its proxies; the client, of the second class, does not. */
const PROXIES = [0, 3, 6, 9];
const CLIENT = 1;

/** The client stands left of trusted entries, so that every entry is asked for. */
async function countForwarded(edge: BigipEdge, entries: number): Promise<[number, number]> {
  const [peer = 0, ...others] = PROXIES;
  const forwarded = [CLIENT, ...others.slice(0, entries - 1)].map((place) => addressOf(2, place)).join(', ');
  const request = requestFor(CLIENT, `X-Forwarded-For: ${forwarded}\r\n`);
  let last: [number, number] = [0, 0];
  // More than one, so that each TMM has read what the request is compared with.
  for (let n = 0; n < CONNECTIONS / 2; n += 1) {
    const client = await openClient(edge, PROXIED, addressOf(2, peer));
    const first = await lookupsOf(edge, () => client.ask(request));
    // The first includes its connection.
    last = [first - 2, await lookupsOf(edge, () => client.ask(request))];
    client.close();
  }
  return last;
}

function addressOf(set: number, place: number): string {
  return formatAddress(addressKey({ family: 4, set }, place));
}

/** Each connection from another port: by that, a TMM is chosen. */
let clientPort = 40_000;

function prefaceOf(address: string): string {
  clientPort += 1;
  return `PROXY TCP4 ${address} 10.0.0.1 ${clientPort} 443\r\n`;
}

/** Allowed to the source at this place, whose class is that of the rule. */
function requestFor(place: number, header = ''): string {
  return `GET /v${place % CLASSES}/x HTTP/1.1\r\nHost: shop.example\r\n${header}\r\n`;
}

async function openClient(
  edge: BigipEdge,
  bind: string,
  address: string,
): Promise<{ ask(request: string): Promise<void>; close(): void }> {
  const connection = await openConnection((await edge.listener(bind)).port, '127.0.0.1');
  let before = prefaceOf(address);
  return {
    close: connection.close,
    async ask(request) {
      const status = await connection.ask(before + request);
      before = '';
      if (status !== 200) throw new Error(`${address} at ${bind} got ${status}: ${request}`);
    },
  };
}

const NOTES = [
  `${CONNECTIONS} connections of each kind, ${REQUESTS} requests on each, each counted on its own; two TMMs.`,
  'A connection asks the map and the set of its object; a request asks the map again, because a connection may live longer than a policy.',
  'The 4 of an HTTP connection with its first request: the request group is read once for each class at each TMM, and remembered.',
  'After a switch, an open connection asks for its source once more. Each forwarded entry is asked for, up to the first that is no trusted proxy; from the second request on, such a connection asks for its peer again.',
];

function tableOf(columns: readonly Counted[]): Table {
  const row = (what: string, cell: (counted: Counted) => string): string[] => [what, ...columns.map(cell)];
  return {
    head: ['lookups, by records in a set', ...SIZES.map((records) => records.toLocaleString('en'))],
    rows: [
      row('a TCP connection', ({ tcpConnections }) => tally(tcpConnections)),
      row('an HTTP connection with its first request', ({ firstRequests }) => tally(firstRequests)),
      row('a further request', ({ laterRequests }) => tally(laterRequests)),
      row('on an open connection after a switch: first request, second', ({ afterSwitch }) => afterSwitch.join(', ')),
      ...[0, 1, 2].map((at) =>
        row(`of a trusted proxy, ${at + 1} forwarded: first request, second`, ({ forwarded }) =>
          (forwarded[at] ?? []).join(', '),
        ),
      ),
    ],
  };
}

/** `3 (20), 4 (4)`, or the one number of all. */
function tally(counts: readonly number[]): string {
  const values = [...new Set(counts)].sort((a, b) => a - b);
  if (values.length === 1) return values.join();
  return values.map((value) => `${value} (${counts.filter((one) => one === value).length})`).join(', ');
}
