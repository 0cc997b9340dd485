/**
 * What the vectors cannot carry: a point without a policy, the revision of a verdict, a peer that is given as bytes,
 * and views that no compiler makes but a point might.
 */
import assert from 'node:assert/strict';
import type { CompiledRule, Flow, Mode, ObjectView, PolicyView, Verdict } from '@edgeward/policy';
import { decide, decideFor } from '@edgeward/policy';
import { judgedAddress } from '../../src/decide.ts';
import type { Claim } from './claim.ts';

const flow: Flow = { from: '10.0.0.1', to: 'front', port: 'tcp/443' };
const PEER = '0a000001';

const rule = (id: string, rest: Partial<CompiledRule> = {}): CompiledRule => ({
  id,
  action: 'allow',
  ports: null,
  http: null,
  ...rest,
});

const object = (rest: Partial<ObjectView> = {}): ObjectView => ({
  protocol: 'http',
  mode: 'enforce',
  lists: (port) => port === 'tcp/443',
  trusts: () => false,
  inFailsafe: () => false,
  rulesNaming: () => [rule('r')],
  ...rest,
});

const loaded = (view: ObjectView): PolicyView => ({
  loaded: true,
  revision: 7,
  object: (name) => (name === 'front' ? view : null),
});

const missing = (mode: Mode | null): PolicyView => ({ loaded: false, lastKnownMode: () => mode });
const denied = (reason: Verdict['reason'], id: string | null = null): Verdict => ({
  verdict: 'deny',
  reason,
  rule: id,
  revision: 7,
});
const allowed = (reason: Verdict['reason'], id: string | null = null): Verdict => ({
  verdict: 'allow',
  reason,
  rule: id,
  revision: 7,
});

const onGet = [{ methods: ['GET'] }];
const onPost = [{ methods: ['POST'] }];

const table: { name: string; policy: PolicyView; flow?: Partial<Flow>; expect: Verdict }[] = [
  ...(['enforce', 'observe', null] as const).map((mode) => ({
    name: `without a policy an object last known as ${mode ?? 'nothing'} is denied`,
    policy: missing(mode),
    expect: { verdict: 'deny' as const, reason: 'no-policy' as const, rule: null, revision: 0 },
  })),
  {
    name: 'without a policy an object last known as off is allowed',
    policy: missing('off'),
    expect: { verdict: 'allow', reason: 'mode-off', rule: null, revision: 0 },
  },
  {
    name: 'an object that the policy does not know is denied with the revision of the policy',
    policy: loaded(object()),
    flow: { to: 'other' },
    expect: denied('unknown-object'),
  },
  {
    name: 'an object that is off allows whom nothing names',
    policy: loaded(object({ mode: 'off', rulesNaming: () => null })),
    flow: { from: 'no address' },
    expect: allowed('mode-off'),
  },
  ...(['enforce', 'observe'] as const).map((mode) => ({
    name: `in mode ${mode} a rule allows`,
    policy: loaded(object({ mode })),
    expect: allowed('allowed-by-rule', 'r'),
  })),
  {
    name: 'the failsafe passes tcp/22 before any rule is asked',
    policy: loaded(object({ inFailsafe: (it) => it === PEER, rulesNaming: () => null })),
    flow: { port: 'tcp/22' },
    expect: allowed('failsafe'),
  },
  ...['udp/22', 'tcp/23', 'tcp/443', 'tcp/022'].map((port) => ({
    name: `the failsafe does not pass ${port}`,
    policy: loaded(object({ inFailsafe: () => true, rulesNaming: () => null })),
    flow: { port },
    expect: denied('unknown-source'),
  })),
  {
    name: 'the failsafe passes no one else on tcp/22',
    policy: loaded(object({ inFailsafe: (it) => it !== PEER, rulesNaming: () => null })),
    flow: { port: 'tcp/22' },
    expect: denied('unknown-source'),
  },
  {
    name: 'a source that no rule names is unknown',
    policy: loaded(object({ rulesNaming: () => null })),
    expect: denied('unknown-source'),
  },
  {
    name: 'a source that an empty list of rules names is unknown',
    policy: loaded(object({ rulesNaming: () => [] })),
    expect: denied('unknown-source'),
  },
  {
    name: 'what is no address is an unknown source, also for the failsafe',
    policy: loaded(object({ inFailsafe: () => true })),
    flow: { from: '10.0.0', port: 'tcp/22' },
    expect: denied('unknown-source'),
  },
  ...['', 'tcp', '443', 'tcp/0', 'tcp/65536', 'tcp/0443', 'sctp/443', 'tcp/443-443 ', 'tcp/443\n'].map((port) => ({
    name: `${JSON.stringify(port)} is no port that could be allowed`,
    policy: loaded(object()),
    flow: { port },
    expect: denied('port-not-allowed'),
  })),
  {
    name: 'a rule with ports does not widen the ports of the object',
    policy: loaded(object({ rulesNaming: () => [rule('r', { ports: [{ protocol: 'tcp', from: 1, to: 65535 }] })] })),
    flow: { port: 'tcp/444' },
    expect: denied('port-not-allowed'),
  },
  {
    name: 'of two blanket denials the first decides',
    policy: loaded(
      object({ rulesNaming: () => [rule('a'), rule('b', { action: 'deny' }), rule('c', { action: 'deny' })] }),
    ),
    expect: denied('denied-by-rule', 'b'),
  },
  {
    name: 'of two permissions the first decides',
    policy: loaded(object({ rulesNaming: () => [rule('a', { http: onPost }), rule('b'), rule('c')] })),
    expect: allowed('allowed-by-rule', 'b'),
  },
  {
    name: 'a denial with a condition wins over a permission before it',
    policy: loaded(object({ rulesNaming: () => [rule('a'), rule('b', { action: 'deny', http: onGet })] })),
    expect: denied('denied-by-rule', 'b'),
  },
  {
    name: 'a denial whose condition fails leaves the permission',
    policy: loaded(object({ rulesNaming: () => [rule('a'), rule('b', { action: 'deny', http: onPost })] })),
    expect: allowed('allowed-by-rule', 'a'),
  },
  {
    name: 'an unsafe request is bad as soon as one rule looks at requests',
    policy: loaded(object({ rulesNaming: () => [rule('a'), rule('b', { http: onGet })] })),
    flow: { path: '/%2f' },
    expect: denied('bad-request'),
  },
  {
    name: 'an unsafe request is nobody’s business where no rule looks at requests',
    policy: loaded(object()),
    flow: { path: '/%2f' },
    expect: allowed('allowed-by-rule', 'r'),
  },
  {
    name: 'on an object of connections a rule with conditions never matches, and no request is bad',
    policy: loaded(object({ protocol: 'tcp', rulesNaming: () => [rule('a', { http: onGet })] })),
    flow: { path: '/%2f' },
    expect: denied('request-not-allowed'),
  },
  {
    name: 'on an object of connections a denial with conditions never matches either',
    policy: loaded(
      object({ protocol: 'tcp', rulesNaming: () => [rule('a'), rule('b', { action: 'deny', http: onGet })] }),
    ),
    expect: allowed('allowed-by-rule', 'a'),
  },
];

const tableClaims = table.map(
  ({ name, policy, flow: rest, expect }): Claim => ({
    name,
    check: () => {
      assert.deepEqual(decide(policy, { ...flow, ...rest }), expect);
    },
  }),
);

const proxied = { ...flow, forwardedFor: '10.0.0.9' };
const peerClaims: Claim[] = [
  {
    name: 'a peer given as bytes is believed, and the text beside it not read',
    check: () => {
      const view = loaded(object({ rulesNaming: (source) => (source === PEER ? [rule('r')] : null) }));
      assert.deepEqual(decideFor(view, PEER, { ...flow, from: '10.9.9.9' }), allowed('allowed-by-rule', 'r'));
      assert.deepEqual(decideFor(view, null, flow), denied('unknown-source'));
    },
  },
  {
    name: 'a flow is read where a condition or a trusted proxy turns on it, and nowhere else',
    check: () => {
      const target = { from: '', to: flow.to, port: flow.port };
      const reads = (view: ObjectView, whole: Flow): [verdict: string, reads: number] => {
        let count = 0;
        const read = (): Flow => {
          count += 1;
          return whole;
        };
        return [decideFor(loaded(view), PEER, target, read).reason, count];
      };
      const rulesNaming = (): CompiledRule[] => [rule('r', { http: [{ methods: ['GET'] }] })];
      assert.deepEqual(reads(object({ rulesNaming: () => [rule('r')] }), flow), ['allowed-by-rule', 0]);
      assert.deepEqual(reads(object({ rulesNaming: () => null }), flow), ['unknown-source', 0]);
      assert.deepEqual(reads(object({ rulesNaming }), { ...flow, method: 'GET' }), ['allowed-by-rule', 1]);
      assert.deepEqual(reads(object({ rulesNaming }), { ...flow, method: 'PUT' }), ['request-not-allowed', 1]);
      assert.deepEqual(reads(object({ rulesNaming, protocol: 'tcp' }), flow), ['request-not-allowed', 0]);
      const named = (source: string): CompiledRule[] | null => (source === '0a000009' ? [rule('r')] : null);
      const trusting = object({ rulesNaming: named, trusts: (peer) => peer === PEER });
      assert.deepEqual(reads(trusting, { ...flow, forwardedFor: '10.0.0.9' }), ['allowed-by-rule', 1]);
      assert.deepEqual(reads(object({ rulesNaming: named }), { ...flow, forwardedFor: '10.0.0.9' }), [
        'unknown-source',
        0,
      ]);
    },
  },
  {
    name: 'whom a trusted proxy speaks for is judged on an object of requests, and the peer on one of connections',
    check: () => {
      const trusts = (peer: string): boolean => peer === PEER;
      assert.equal(judgedAddress(object({ trusts }), PEER, proxied), '0a000009');
      assert.equal(judgedAddress(object({ trusts, protocol: 'tcp' }), PEER, proxied), PEER);
      assert.equal(judgedAddress(object(), PEER, proxied), PEER);
    },
  },
];

export const decideClaims: Claim[] = [...tableClaims, ...peerClaims];
