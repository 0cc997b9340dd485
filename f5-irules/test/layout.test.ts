import { createHash } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { compareKeys, decide, pack, predecessor, unpack, viewOf } from '../../policy/src/index.ts';
import { arbitraryDirectory, arbitraryFlow, NOW } from '../../policy/test/generators/documents.ts';
import { search } from '../../policy/test/runs.ts';
import { compileDocuments } from '../../test/kit/compiled-documents.ts';
import { groupName, type Layout, layOut, mapHashOf, readMap, repairsIn, withRepairs } from '../driver/layout/index.ts';
import { intervalsOf } from '../driver/layout/intervals.ts';
import { alternativesIn, findIn } from './fixtures/layout-reader.ts';

const front = (more: object = {}): object => ({
  kind: 'VirtualServer',
  name: 'order-front',
  labels: { app: 'shop' },
  point: 'edge-1',
  bind: '/Common/vs_orders',
  ports: ['tcp/443', 'tcp/8000-8099'],
  mode: 'enforce',
  ...more,
});
const shop = (...rules: object[]): object => ({
  kind: 'Policy',
  name: 'shop',
  rules: rules.map((rule, index) => ({ id: `r${index}`, to: "app == 'shop'", ...rule })),
});
const laidOut = (...documents: object[]): Layout => layOut(compileDocuments(documents, { revision: 7 }));
const recordsOf = (layout: Layout, prefix: string): { name: string; data: string }[] =>
  layout.groups.filter(({ name }) => name.startsWith(prefix)).flatMap((group) => [...group.records()]);

t.test('values are words that say what happens on each port', async (t) => {
  const layout = laidOut(
    front({ trustedProxies: ['198.51.100.0/28'] }),
    shop(
      {
        from: [{ cidr: '10.0.0.0/8' }],
        ports: ['tcp/443'],
        http: [{ methods: ['GET', 'POST'], path: '/v1/é x/*', hosts: ['shop.example'] }],
      },
      { from: [{ cidr: '10.9.0.0/16' }], ports: ['tcp/443'], action: 'deny' },
      { from: [{ cidr: '10.1.2.3/32' }, { cidr: '198.51.100.0/30' }], ports: ['tcp/8010-8020'] },
      { from: [{ cidr: '192.0.2.0/24' }], ports: ['tcp/22'] },
    ),
  );
  const data = Object.fromEntries(recordsOf(layout, 'eg_s_').map(({ name, data }) => [name, data]));
  t.match(data, {
    '10.1.2.3/32': 'tcp 443 443 requests 0 tcp 8010 8020 allow r2',
    '10.9.0.0/16': 'tcp 443 443 deny r1',
    '10.0.0.0/16': 'tcp 443 443 requests 0',
    '192.0.2.0/24': 'no-port',
    '198.51.100.0/30': 'trusted tcp 8010 8020 allow r2',
    '198.51.100.4/30': 'trusted',
    '198.51.100.8/29': 'trusted',
  });
  t.strictSame(recordsOf(layout, 'eg_r_'), [{ name: '0', data: 'allow r0 GET,POST /v1/%C3%A9%20x/* shop.example' }]);
  const [head, entry] = layout.map;
  t.equal(head?.name, '/Common/vs_orders');
  t.match(head?.data, /^7 enforce http eg_s_[0-9a-f]{20} eg_r_[0-9a-f]{20} 0 proxies$/);
  t.equal(
    entry?.data,
    `1 7 ${layout.policyHash} ${layout.mapHash} ${layout.point}`,
    'the head says which policy this is, and whose',
  );
  t.equal(mapHashOf(layout.map), layout.mapHash);
});

t.test('a group says by its name whether it is whole, in whatever order the box lists it', async (t) => {
  const layout = laidOut(
    front(),
    shop({ from: [{ any: true }], http: [{ path: '/a' }] }, { from: [{ cidr: '10.0.0.0/9' }] }),
  );
  for (const group of layout.groups) {
    const records = [...group.records()];
    t.equal(groupName(group.type, records.toReversed()), group.name);
    t.not(groupName(group.type, records.slice(1)), group.name);
    const text = [...group.lines()].join('');
    t.strictSame([text.length, createHash('sha1').update(text).digest('hex')], [group.bytes, group.sha1]);
    t.equal(group.size, records.length);
  }
});

t.test('records of a route domain carry it', async (t) => {
  const policy = compileDocuments([front(), shop({ from: [{ cidr: '10.0.0.0/24' }, { cidr: '2001:db8::/32' }] })], {
    revision: 1,
  });
  const layout = layOut(policy, new Map([['/Common/vs_orders', { routeDomain: 2, judgesRequests: false }]]));
  t.strictSame(
    recordsOf(layout, 'eg_s_').map(({ name }) => name),
    ['10.0.0.0%2/24', '2001:db8::%2/32'],
  );
  t.strictSame(
    [...(layout.groups[0]?.lines() ?? [])][0],
    'network 10.0.0.0%2 prefixlen 24 := "tcp 443 443 allow r0 tcp 8000 8099 allow r0",\n',
  );
  t.match(readMap(layout.map)?.entries.get('/Common/vs_orders'), { routeDomain: 2, blind: true, proxies: false });
});

t.test('what is longer than a value may be goes on in the next record', async (t) => {
  const rules = Array.from({ length: 900 }, (_, index) => ({
    from: [{ any: true }],
    http: [{ path: `/${'x'.repeat(100)}/${index}`, methods: ['GET'] }],
  }));
  const layout = laidOut(front(), shop(...rules));
  const group = layout.groups.find(({ type }) => type === 'string');
  t.ok(group !== undefined && group.size > 1, 'more than one record');
  for (const { data } of group?.records() ?? []) t.ok(data.length < 65_520);
  const text = group === undefined ? '' : alternativesIn(group, '0');
  t.equal(text.split(' ').length, 900 * 5, 'and nothing is lost between them');
});

t.test('equal sources are one group, and what was laid out once is used again', async (t) => {
  const memo = new Map();
  const documents = [
    front(),
    front({ name: 'other-front', bind: '/Common/vs_other' }),
    shop({ from: [{ cidr: '10.0.0.0/8' }] }),
  ];
  const one = layOut(compileDocuments(documents, { revision: 1 }), new Map(), memo);
  const two = layOut(compileDocuments(documents, { revision: 2 }), new Map(), memo);
  t.equal(one.groups.length, 1);
  t.equal(one.groups[0], two.groups[0]);
});

t.test('how often groups were repaired stands in every entry, and the hash of the map covers it', async (t) => {
  const layout = laidOut(front(), front({ name: 'blind', bind: '/Common/vs_blind' }), shop({ from: [{ any: true }] }));
  t.strictSame(withRepairs(layout, 0), layout, 'none is not written');
  const repaired = withRepairs(layout, 12);
  const entries = [...(readMap(repaired.map)?.entries.values() ?? [])];
  t.strictSame([repairsIn(layout.map), repairsIn(repaired.map), entries.length], [0, 12, 2]);
  t.ok(entries.every(({ repairs }) => repairs === 12));
  t.match(repaired.map.find(({ name }) => name === '/Common/vs_orders')?.data, / 0 r12$/);
  t.not(repaired.mapHash, layout.mapHash);
  t.equal(repaired.mapHash, mapHashOf(repaired.map));
  const headless = repaired.map.filter(({ name }) => name !== 'edgeward');
  t.equal(repairsIn(headless), 12, 'also of a map whose head is lost');
});

t.test('a revision that nobody can have given out is no head', async (t) => {
  const { map } = laidOut(front());
  const headed = (revision: string) =>
    map.map((one) => ({ ...one, data: one.data.replace(/^1 \d+/, `1 ${revision}`) }));
  t.equal(readMap(headed('1099511627776'))?.head.revision, 2 ** 40);
  for (const revision of ['1099511627777', '999999999999999', '1000000000000000'])
    t.equal(readMap(headed(revision)), null, revision);
});

t.test('an object whose bind is no full path is left out and named, and the others are laid out', async (t) => {
  const policy = compileDocuments([front(), { ...front(), name: 'other', bind: '/Common/vs_other' }], { revision: 1 });
  const [whole] = [layOut(policy)];
  t.strictSame(whole.unusable, []);
  for (const bind of ['order-front', '/vs', '/Common/a b', '/Common/[exec x]', '/Common/a\nb', '/Common/{', '']) {
    const objects = policy.objects.map((object) => (object.name === 'other' ? { ...object, bind } : object));
    const layout = layOut({ ...policy, objects });
    t.strictSame(layout.unusable, [{ name: 'other', bind }], JSON.stringify(bind));
    t.strictSame(
      layout.map.map(({ name }) => name),
      ['/Common/vs_orders', 'edgeward'],
    );
  }
});

t.test('nothing that a document can say leaves its word', async (t) => {
  const layout = laidOut(
    front(),
    shop({
      from: [{ any: true }],
      http: [{ path: '/"[exec rm]$x{};\u00e9 \u{1F600}', hosts: ['[2001:db8::1]'] }, { path: "/a'b&c=d,e:f@g!(h)+" }],
    }),
  );
  for (const { name, data } of recordsOf(layout, 'eg_')) t.match(`${name} ${data}`, /^[A-Za-z0-9._~/%:,*+ -]+$/);
});

t.test('what stands in the groups is what decide says of source and port', async (t) => {
  const asked = arbitraryDirectory().chain((documents) =>
    fc.tuple(fc.constant(documents), fc.array(arbitraryFlow(documents), { maxLength: 20 })),
  );
  let compared = 0;
  fc.assert(
    fc.property(asked, ([documents, flows]) => {
      const compiled = compileDocuments(documents, { revision: 3, now: NOW });
      const objects = compiled.objects.map((object, index) => ({ ...object, bind: `/Common/vs_${index}` }));
      const policy = { ...compiled, objects };
      const layout = layOut(policy);
      for (const { from, to, port } of flows) {
        const object = policy.objects.find(({ name }) => name === to);
        if (object === undefined || object.mode === 'off' || object.kind === 'workload') continue;
        const found = findIn(layout, object.bind, from, port);
        const { reason, rule } = decide(viewOf(policy), { from, to, port });
        const wanted = found.reason === 'requests' ? found.reason : reason;
        compared += 1;
        if (found.reason !== wanted || (found.reason !== 'requests' && found.argument !== (rule ?? '')))
          throw new Error(`${from} ${to} ${port}: ${JSON.stringify(found)}, wanted ${reason} ${rule}`);
      }
    }),
    search(t, 300),
  );
  t.ok(compared > 300, `${compared} flows compared`);
});

t.test('sources come out of their table in order and joined, however it is cut into buckets', async (t) => {
  const key = fc.oneof(
    fc.integer({ min: 0x0a000000, max: 0x0a000fff }).map((n) => n.toString(16).padStart(8, '0')),
    fc.integer({ min: 0, max: 0xffffffff }).map((n) => n.toString(16).padStart(8, '0')),
    fc.integer({ min: 0, max: 0x3fff }).map((n) => `20010db8${n.toString(16).padStart(24, '0')}`),
    fc.integer({ min: 0, max: 0xffff }).map((n) => `2001${n.toString(16).padStart(4, '0')}${'0'.repeat(24)}`),
  );
  const intervals = fc.array(fc.tuple(key, fc.integer({ min: 0, max: 2 })), { maxLength: 400 }).map((keyed) => {
    const sorted = [...new Map(keyed)].sort(([a], [b]) => compareKeys(a, b));
    // From each key to just before the next, or only itself: wide ones, single ones, and neighbours of equal number.
    return sorted.map(([lo, value], index) => {
      const next = sorted[index + 1]?.[0];
      const end = next === undefined || next.length !== lo.length ? lo : (predecessor(next) ?? lo);
      return { lo, hi: value === 2 ? lo : end, value };
    });
  });
  const property = fc.property(intervals, (given) => {
    const table = pack(given);
    t.strictSame([...intervalsOf(table)], unpack(table));
  });
  fc.assert(property, search(t, 100));
});
