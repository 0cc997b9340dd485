/** The two flows of a proof: what the policy says of them, and where there can be only one. */
import { type CompiledObject, type CompiledPolicy, decide, viewOf } from '@edgeward/policy';
import { compileDocuments } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { vectorFiles, vectorsOf } from '../../../policy/test/vector-files.ts';
import { pointOf } from '../../../test/parity/vector-carriers.ts';
import { proofFlow, proofFlows } from '../../src/proof/proof-flows.ts';

function check(t: Test, policy: CompiledPolicy, object: CompiledObject, port: string): ReturnType<typeof proofFlows> {
  const flows = proofFlows(policy, object, port);
  for (const verdict of ['allow', 'deny'] as const) {
    const question = flows[verdict];
    if (question === null) continue;
    const found = decide(viewOf(policy), proofFlow(object.name, port, question));
    t.equal(found.verdict, verdict, `${object.name} ${port}: ${JSON.stringify(question)}`);
  }
  return flows;
}

t.test(
  'in every policy of the vectors they are judged as they must be, and one is found where there is one',
  async (t) => {
    let found = 0;
    for (const vector of vectorFiles.flatMap(vectorsOf)) {
      const { policy: documents, now, connection, expect } = vector;
      const policy = compileDocuments(documents, { revision: 1, now, point: pointOf(vector) });
      const object = policy.objects.find(({ name }) => name === connection.to);
      if (object === undefined || object.mode === 'off') continue;
      const flows = check(t, policy, object, connection.port);
      if (expect.reason === 'allowed-by-rule') t.not(flows.allow, null, vector.name);
      if (expect.verdict === 'deny') t.not(flows.deny, null, vector.name);
      found += 1;
    }
    t.ok(found > 50, `${found} policies were tried`);
  },
);

const front = { kind: 'VirtualServer', name: 'a', labels: { app: 'a' }, point: 'edge-1', bind: 'a' };

function compiled(rules: object[], more: object = {}): [CompiledPolicy, CompiledObject] {
  const documents = [
    { ...front, ports: ['tcp/80', 'tcp/443'], ...more },
    { kind: 'Policy', name: 'p', rules },
  ];
  const policy = compileDocuments(documents, { revision: 1 });
  const [object] = policy.objects;
  if (object === undefined) throw new Error('nothing was compiled');
  return [policy, object];
}

const rule = (more: object, from: object[] = [{ cidr: '10.1.2.0/24' }]): object => ({
  ...{ id: 'r', from, to: "app == 'a'" },
  ...more,
});
const any = [{ any: true }];
const http = [{ methods: ['POST', 'PUT'], path: '/v1/*', hosts: ['a.example', 'b.example'] }];
const blocked = { id: 'd', action: 'deny', from: any, to: "app == 'a'", http: [{ path: '/v1' }] };

const cases: [name: string, rules: object[], port: string, allow: object | null, deny: object | null][] = [
  [
    'a network',
    [rule({})],
    'tcp/443',
    { from: '10.1.2.0', method: 'GET', path: '/', host: null },
    { from: '192.0.2.1' },
  ],
  [
    'conditions',
    [rule({ http })],
    'tcp/443',
    { method: 'POST', path: '/v1', host: 'a.example' },
    { from: '192.0.2.1' },
  ],
  [
    'a part of them denied',
    [rule({ http }), blocked],
    'tcp/443',
    { path: '/v1/.edgeward-proof' },
    { path: '/.edgeward-proof' },
  ],
  ['another port', [rule({ ports: ['tcp/80'] })], 'tcp/443', null, { from: '192.0.2.1' }],
  ['nobody', [], 'tcp/443', null, { from: '192.0.2.1' }],
  ['everybody and everything', [rule({}, any)], 'tcp/443', { from: '0.0.0.0' }, null],
  ['everybody, for some requests', [rule({ http }, any)], 'tcp/443', { path: '/v1' }, { path: '/.edgeward-proof' }],
  [
    'all that documentation has',
    [
      rule({}, [
        { cidr: '192.0.0.0/8' },
        { cidr: '198.51.100.0/24' },
        { cidr: '203.0.113.0/24' },
        { cidr: '2001:db8::/32' },
      ]),
    ],
    'tcp/443',
    { from: '198.51.100.0' },
    { from: '198.51.99.255' },
  ],
  ['IPv6 alone', [rule({}, [{ cidr: '2001:db8:7::/48' }])], 'tcp/443', { from: '2001:db8:7::' }, { from: '192.0.2.1' }],
];

t.test(
  'the flow that is let in is what a rule names; the other comes from nobody, or asks for what nobody may',
  async (t) => {
    for (const [name, rules, port, allow, deny] of cases) {
      const [policy, object] = compiled(rules);
      t.match(check(t, policy, object, port), { allow, deny }, name);
    }
  },
);

t.test('a hundred thousand sources cost no more than the first of them', async (t) => {
  const from = Array.from({ length: 20_000 }, (_, n) => ({ cidr: `10.${n >> 8}.${n & 255}.8/29` }));
  const [policy, object] = compiled([rule({}, from)]);
  const read: string[] = [];
  const sources = new Proxy(object.sources, {
    getOwnPropertyDescriptor(all, name) {
      return Reflect.getOwnPropertyDescriptor(all, name);
    },
    get(all, name) {
      read.push(String(name));
      return Reflect.get(all, name);
    },
  });
  check(t, policy, { ...object, sources }, 'tcp/443');
  t.ok(Object.keys(object.sources).length > 50, 'they lie in many buckets');
  t.ok(new Set(read).size <= 4, `${new Set(read).size} buckets were read`);
});
