/** What a virtual server could be in a policy, and what a person should know of it first. */
import t from 'tap';
import { describeVirtual } from '../../driver/review/discovery.ts';
import type { VirtualFacts } from '../../driver/review/virtual-facts.ts';
import { startReviewedBox } from './fixtures/review.ts';

const plain: VirtualFacts = {
  ...{
    fullPath: '/Common/vs',
    destination: '/Common/10.0.0.1:443',
    routeDomain: 0,
    ipProtocol: 'tcp',
    enabled: true,
    rules: [],
  },
  ...{ policies: [], hasHttp: true, isFastL4: false, special: null, forwards: false },
};

interface Row {
  name: string;
  facts: Partial<VirtualFacts>;
  object: { ports: string[]; protocol: string } | null;
  remarks?: RegExp[];
}

const http = { ports: ['tcp/443'], protocol: 'http' };
const rows: Row[] = [
  { name: 'HTTP', facts: {}, object: http },
  { name: 'TCP', facts: { hasHttp: false }, object: { ...http, protocol: 'tcp' } },
  { name: 'a route domain', facts: { destination: '/Common/10.0.0.1%2:443' }, object: http },
  { name: 'IPv6', facts: { destination: '/Common/2001:db8::1.443' }, object: http },
  { name: 'IPv6 in a route domain', facts: { destination: '/Common/2001:db8::1%2.443' }, object: http },
  { name: 'the name of a service', facts: { destination: '/Common/10.0.0.1:https' }, object: http },
  {
    name: 'every port',
    facts: { destination: '/Common/any:any', hasHttp: false },
    object: { ports: ['tcp/1-65535'], protocol: 'tcp' },
    remarks: [/every port/],
  },
  {
    name: 'every IPv6 address and port',
    facts: { destination: '/Common/any6.0', ipProtocol: 'any', hasHttp: false, forwards: true, isFastL4: true },
    object: { ports: ['tcp/1-65535', 'udp/1-65535'], protocol: 'tcp' },
    remarks: [/every port/, /every protocol/, /FastL4/, /forwards/],
  },
  { name: 'UDP', facts: { ipProtocol: 'udp', hasHttp: false }, object: { ports: ['udp/443'], protocol: 'tcp' } },
  {
    name: 'HTTP/3',
    facts: { ipProtocol: 'udp' },
    object: { ports: ['udp/443'], protocol: 'tcp' },
    remarks: [/HTTP\/3/],
  },
  { name: 'disabled', facts: { enabled: false }, object: http, remarks: [/disabled/] },
  {
    name: 'rules and policies of its own',
    facts: { rules: ['/Common/a', '/Edgeward/eg_enforce_l4_v1'], policies: ['/Common/p'] },
    object: http,
    remarks: [/attached already/, /\/Common\/a/, /\/Common\/p/],
  },
  { name: 'SCTP', facts: { ipProtocol: 'sctp' }, object: null, remarks: [/carries sctp/] },
  { name: 'rejecting', facts: { special: 'it rejects every connection' }, object: null, remarks: [/rejects/] },
  { name: 'an unknown service', facts: { destination: '/Common/10.0.0.1:nope' }, object: null, remarks: [/port/] },
  { name: 'no port', facts: { destination: '/Common/10.0.0.1' }, object: null, remarks: [/port/] },
  { name: 'a port too far', facts: { destination: '/Common/10.0.0.1:70000' }, object: null, remarks: [/port/] },
  { name: 'no destination', facts: { destination: null }, object: null, remarks: [/port/] },
  { name: 'a name with a blank', facts: { fullPath: '/Common/v s' }, object: null, remarks: [/rename/] },
  {
    name: 'a name that is a property',
    facts: { destination: '/Common/10.0.0.1:constructor' },
    object: null,
    remarks: [/port/],
  },
];

t.test('virtual servers of every kind', async (t) => {
  for (const { name, facts, object, remarks = [] } of rows) {
    const found = describeVirtual({ ...plain, ...facts });
    t.strictSame(found.object, object, name);
    t.equal(found.remarks.length, remarks.length, `${name}: ${found.remarks.join('; ')}`);
    t.match(found.remarks, remarks, name);
  }
});

t.test('a box tells all but those that are left out, each read once', async (t) => {
  const box = await startReviewedBox(t);
  const steps: number[] = [];
  const all = await box.review().discover(new Set(), (done) => void steps.push(done));
  t.strictSame(
    all.virtuals.map(({ fullPath, object, attached }) => [fullPath, object?.protocol, attached]),
    [
      ['/Common/vs_crm', 'http', false],
      ['/Common/vs_orders', 'http', false],
    ],
  );
  t.strictSame(steps, [0, 1]);
  box.calls();
  const rest = await box.review().discover(new Set(['/Common/vs_crm']));
  t.strictSame(
    rest.virtuals.map(({ fullPath }) => fullPath),
    ['/Common/vs_orders'],
  );
  t.equal(box.calls().filter(({ path }) => path.startsWith('tm/ltm/virtual/')).length, 1);
});

t.test('a name that has no address in iControl REST is told, and stops nothing', async (t) => {
  const config = `ltm virtual /Common/a~b { destination /Common/10.0.0.9:80 }\nltm virtual /Common/b { destination /Common/10.0.0.8:80 }\n`;
  const box = await startReviewedBox(t, { config });
  const { virtuals } = await box.review().discover(new Set());
  t.match(virtuals, [
    { fullPath: '/Common/a~b', object: null, remarks: [/can't be addressed/] },
    { fullPath: '/Common/b', object: { ports: ['tcp/80', 'udp/80'] } },
  ]);
});
