/** What is gained and lost between two groups, as a table and against a reader that asks address by address. */
import { requestText } from '@edgeward/policy';
import t from 'tap';
import { parseAddress, parseCidr } from '../../../policy/src/address.ts';
import type { DataRecord } from '../../driver/layout/index.ts';
import { compareFlows, type FlowChange, type Side } from '../../driver/review/flow-changes.ts';
import { readRequests } from '../../driver/review/request-records.ts';

function side(records: Record<string, string>, requests: Record<string, string> = {}, more: Partial<Side> = {}): Side {
  const list = (of: Record<string, string>): DataRecord[] => Object.entries(of).map(([name, data]) => ({ name, data }));
  return { records: list(records), requests: readRequests(list(requests)), blind: false, proxies: false, ...more };
}

function text(changes: readonly FlowChange[]): string[] {
  return changes.map(({ sources, ports, requests }) => {
    const said = requests.map((request) => `${request.by === 'deny' ? 'deny ' : ''}${requestText(request)}`);
    return `${sources.join(' ')} | ${ports.join(' ')} | ${said.join('; ')}`;
  });
}

interface Row {
  name: string;
  before: Side | null;
  after: Side | null;
  gained?: string[];
  lost?: string[];
  trusted?: { gained: string[]; lost: string[] };
  reworded?: number;
}

const allow = 'tcp 443 443 allow r';
const rows: Row[] = [
  { name: 'nothing and nothing', before: null, after: null },
  { name: 'the same', before: side({ '10.0.0.0/8': allow }), after: side({ '10.0.0.0/8': allow }) },
  {
    name: 'the first policy',
    before: null,
    after: side({ '10.0.0.0/8': allow, '2001:db8::/32': allow }),
    gained: ['10.0.0.0/8 2001:db8::/32 | tcp/443 | every request'],
  },
  {
    name: 'a virtual server that leaves the policy',
    before: side({ '10.0.0.0/8': allow }),
    after: null,
    lost: ['10.0.0.0/8 | tcp/443 | every request'],
  },
  {
    name: 'half of a network',
    before: side({ '10.0.0.0/8': allow }),
    after: side({ '10.0.0.0/9': allow }),
    lost: ['10.128.0.0/9 | tcp/443 | every request'],
  },
  {
    name: 'a hole in the middle',
    before: side({ '10.0.0.0/30': allow }),
    after: side({ '10.0.0.0/32': allow, '10.0.0.2/31': allow }),
    lost: ['10.0.0.1/32 | tcp/443 | every request'],
  },
  {
    name: 'the whole world, but one',
    before: side({ '0.0.0.0/0': allow, '::/0': allow }),
    after: side({ '0.0.0.0/1': allow, '128.0.0.0/1': allow, '::/0': allow }),
  },
  {
    name: 'the last addresses of both families',
    before: side({ '255.255.255.255/32': allow, 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128': allow }),
    after: side({}),
    lost: ['255.255.255.255/32 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128 | tcp/443 | every request'],
  },
  {
    name: 'ports that overlap',
    before: side({ '10.0.0.0/8': 'tcp 8000 8099 allow r' }),
    after: side({ '10.0.0.0/8': 'tcp 8050 8149 allow r udp 53 53 allow r' }),
    gained: ['10.0.0.0/8 | tcp/8100-8149 udp/53 | every request'],
    lost: ['10.0.0.0/8 | tcp/8000-8049 | every request'],
  },
  {
    name: 'what was denied by name or by port before',
    before: side({ '10.0.0.0/8': 'tcp 443 443 deny block', '11.0.0.0/8': 'no-port' }),
    after: side({ '10.0.0.0/8': allow, '11.0.0.0/8': allow }),
    gained: ['10.0.0.0/7 | tcp/443 | every request'],
  },
  {
    name: 'another rule with the same outcome',
    before: side({ '10.0.0.0/8': allow }),
    after: side({ '10.0.0.0/8': 'tcp 443 443 allow other' }),
    reworded: 1,
  },
  {
    name: 'a method more',
    before: side({ '10.0.0.0/8': 'tcp 443 443 requests 0' }, { 0: 'allow r GET /v1/* *' }),
    after: side({ '10.0.0.0/8': 'tcp 443 443 requests 5' }, { 5: 'allow r GET,POST /v1/* *' }),
    gained: ['10.0.0.0/8 | tcp/443 | POST /v1/*'],
  },
  {
    name: 'requests where everything passed',
    before: side({ '10.0.0.0/8': allow }),
    after: side({ '10.0.0.0/8': 'tcp 443 443 requests 0' }, { 0: 'allow r GET /v1/* shop.example' }),
    lost: ['10.0.0.0/8 | tcp/443 | every request'],
  },
  {
    name: 'a denial that ends and one that begins',
    before: side({ '10.0.0.0/8': 'tcp 443 443 requests 0' }, { 0: 'deny d * /admin/* * allow r * /* *' }),
    after: side({ '10.0.0.0/8': 'tcp 443 443 requests 0' }, { 0: 'deny d * /secret * allow r * /* *' }),
    gained: ['10.0.0.0/8 | tcp/443 | deny any method /admin/*'],
    lost: ['10.0.0.0/8 | tcp/443 | deny any method /secret'],
  },
  {
    name: 'a value that goes on in the next record',
    before: side({ '10.0.0.0/8': 'tcp 443 443 requests 0' }, { 0: 'allow r GET /a * +', '0.1': 'allow r GET /b *' }),
    after: side({ '10.0.0.0/8': 'tcp 443 443 requests 0' }, { 0: 'allow r GET /a * +', '0.1': 'allow r GET /c *' }),
    gained: ['10.0.0.0/8 | tcp/443 | GET /c'],
    lost: ['10.0.0.0/8 | tcp/443 | GET /b'],
  },
  {
    name: 'nobody judges requests any more',
    before: side({ '10.0.0.0/8': 'tcp 443 443 requests 0' }, { 0: 'allow r GET * *' }),
    after: side({ '10.0.0.0/8': 'tcp 443 443 requests 0' }, { 0: 'allow r GET * *' }, { blind: true }),
    lost: ['10.0.0.0/8 | tcp/443 | GET any path'],
  },
  {
    name: 'a proxy that is believed',
    before: side({ '10.0.0.0/8': allow }),
    after: side({ '10.0.0.0/9': allow, '10.128.0.0/9': `trusted ${allow}` }, {}, { proxies: true }),
    trusted: { gained: ['10.128.0.0/9'], lost: [] },
  },
  {
    name: 'a route domain, and records of nobody of us',
    before: side({ '10.0.0.0%2/8': allow, nonsense: allow, '10.1.0.0%2/16': 'no-port' }),
    after: side({ '10.0.0.0/8': allow }),
  },
];

t.test('what is gained and lost', async (t) => {
  for (const { name, before, after, gained = [], lost = [], trusted, reworded = 0 } of rows) {
    const changes = compareFlows(before, after);
    t.strictSame(text(changes.gained), gained, `${name}: gained`);
    t.strictSame(text(changes.lost), lost, `${name}: lost`);
    t.strictSame(changes.trusted, trusted ?? { gained: [], lost: [] }, `${name}: trusted`);
    t.equal(changes.reworded, reworded, `${name}: reworded`);
  }
});

/** Small and repeatable. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const runs = Number(process.env.EDGEWARD_RUNS ?? '1');
const seed = Number(process.env.EDGEWARD_SEED ?? '7');

t.test('random groups: each address and port is gained or lost exactly where an oracle says so', async (t) => {
  t.comment(`EDGEWARD_SEED=${seed}`);
  const pick = random(seed);
  const words = ['no-port', allow, 'tcp 400 450 allow a tcp 451 460 deny b', 'udp 1 5 allow c', 'tcp 443 443 deny d'];
  const group = (): Side => {
    const records: Record<string, string> = {};
    // Blocks of 16 addresses, or some of their halves, quarters and single ones.
    for (let block = 0; block < 8; block += 1) {
      const prefix = 28 + pick(5);
      const step = 2 ** (32 - prefix);
      for (let at = 0; at < 16; at += step)
        if (pick(3) > 0) records[`10.0.0.${block * 16 + at}/${prefix}`] = words[pick(words.length)] ?? allow;
    }
    return side(records);
  };
  const at = (changes: readonly FlowChange[], address: string, port: number): boolean =>
    changes.some(
      ({ sources, ports }) => sources.some((it) => holds(it, address)) && ports.some((it) => covers(it, port)),
    );
  for (let run = 0; run < 40 * runs; run += 1) {
    const [before, after] = [group(), group()];
    const { gained, lost } = compareFlows(before, after);
    for (let sample = 0; sample < 200; sample += 1) {
      const address = `10.0.0.${pick(130)}`;
      const port = [443, 400, 450, 451, 399][pick(5)] ?? 443;
      const [was, is] = [passes(before, address, port), passes(after, address, port)];
      if (at(gained, address, port) === (is && !was) && at(lost, address, port) === (was && !is)) continue;
      t.fail(`run ${run}: ${address} tcp/${port}: ${was} → ${is}`);
    }
  }
  t.pass('no difference');
});

function holds(cidr: string, address: string): boolean {
  const interval = parseCidr(cidr);
  const key = parseAddress(address) ?? '';
  return interval !== null && interval !== 'host-bits' && interval.lo <= key && key <= interval.hi;
}

function covers(range: string, port: number): boolean {
  const [, low = '', high = low] = /^tcp\/(\d+)(?:-(\d+))?$/.exec(range) ?? [];
  return low !== '' && Number(low) <= port && port <= Number(high);
}

function passes({ records }: Side, address: string, port: number): boolean {
  const own = [...records].find(({ name }) => holds(name, address))?.data.split(' ') ?? [];
  for (let at = 0; at + 4 < own.length; at += 5) {
    const [protocol, low, high, outcome] = own.slice(at, at + 4);
    if (protocol === 'tcp' && Number(low) <= port && port <= Number(high)) return outcome === 'allow';
  }
  return false;
}
