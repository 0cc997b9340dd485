import t from 'tap';
import { type HostLayout, hostLayout } from '../driver/layout/index.ts';
import { enforced, HOST, host, management, OPTIONS, policyOf, rules } from './fixtures/host-policies.ts';
import { fateOf, type Packet } from './fixtures/layout-kernel.ts';

const allow = { from: [{ cidr: '10.1.0.0/24' }, { cidr: '2001:db8:1::/48' }], ports: ['tcp/5432'] };
const HOST_ADDRESS = '10.40.0.7';
const marked = (generation: number): number => generation * 65_536 + 0x4000;
const endOf = (layout: HostLayout, packet: Packet, hook: 'INPUT' | 'FORWARD' = 'INPUT'): string =>
  fateOf(layout.families[packet.source.includes(':') ? 'inet6' : 'inet'], hook, packet).end;

t.test('what belongs to a host passes beside its policy, and what does not is judged', async (t) => {
  const layout = hostLayout(enforced(allow), OPTIONS);
  const { generation } = layout;
  const stranger = { source: '10.2.0.1', protocol: 'tcp', port: 5432 };
  const link = { source: 'fe80::1', protocol: 'ipv6-icmp', hopLimit: 255 };
  const table: [string, Packet, string][] = [
    ['a source that a rule names', { ...stranger, source: '10.1.0.9' }, 'ACCEPT'],
    ['a source that none names', stranger, 'DROP'],
    ['itself', { ...stranger, device: 'lo' }, 'RETURN'],
    ['a flow let in under this policy', { ...stranger, states: ['ESTABLISHED'], mark: marked(generation) }, 'ACCEPT'],
    ['one let in under another', { ...stranger, states: ['ESTABLISHED'], mark: marked(generation + 1) }, 'DROP'],
    ['one that was never judged', { ...stranger, states: ['ESTABLISHED'] }, 'DROP'],
    ['an answer', { ...stranger, states: ['ESTABLISHED'], direction: 'REPLY' }, 'ACCEPT'],
    ['an error about a flow', { ...stranger, protocol: 'icmp', port: 3, states: ['RELATED'] }, 'ACCEPT'],
    ['a flow that another one asked for', { ...stranger, states: ['RELATED'] }, 'DROP'],
    ['no flow at all', { ...stranger, source: '10.1.0.9', states: ['INVALID'] }, 'DROP'],
    ['unreachable', { ...stranger, protocol: 'icmp', port: 3 }, 'ACCEPT'],
    ['an echo: others decide', { ...stranger, protocol: 'icmp', port: 8 }, 'RETURN'],
    ['another protocol: others decide', { ...stranger, protocol: 'sctp' }, 'RETURN'],
    ['its lease', { ...stranger, protocol: 'udp', sourcePort: 67, port: 68 }, 'ACCEPT'],
    ['its lease over IPv6', { ...link, protocol: 'udp', sourcePort: 547, port: 546 }, 'ACCEPT'],
    ['no lease from afar', { ...link, source: '2001:db8::1', protocol: 'udp', sourcePort: 547, port: 546 }, 'DROP'],
    ['a neighbour', { ...link, port: 135 }, 'ACCEPT'],
    ['a neighbour from afar: the host drops it', { ...link, port: 135, hopLimit: 254 }, 'RETURN'],
    ['a multicast query', { ...link, port: 130, hopLimit: 1 }, 'ACCEPT'],
    ['too big', { ...link, source: '2001:db8::1', port: 2, hopLimit: 60 }, 'ACCEPT'],
    ['its management', { ...stranger, source: '10.99.0.1', port: 22 }, 'ACCEPT'],
    ['its management elsewhere', { ...stranger, source: '10.99.0.1', port: 23 }, 'DROP'],
    ['another on tcp/22', { ...stranger, port: 22 }, 'DROP'],
  ];
  for (const [name, packet, end] of table) t.equal(endOf(layout, packet), end, name);
});

t.test('what is let in carries the generation, and the marks of others stay', async (t) => {
  const layout = hostLayout(enforced(allow), OPTIONS);
  const packet = { source: '10.1.0.9', protocol: 'tcp', port: 5432, mark: 0xf000_4001 };
  const { mark } = fateOf(layout.families.inet, 'INPUT', packet);
  t.equal(mark, (0xf000_4001 + layout.generation * 65_536) >>> 0);
  const denied = fateOf(layout.families.inet, 'INPUT', { ...packet, port: 1 });
  t.strictSame([denied.mark, denied.samples], [0xf000_4001, [`ew1|i|${layout.generation}|${layout.hash.slice(0, 8)}`]]);
});

t.test('where marks are taken established flows pass, and no rule touches a mark', async (t) => {
  const layout = hostLayout(enforced(allow), { ...OPTIONS, mark: null });
  t.equal(endOf(layout, { source: '10.2.0.1', protocol: 'tcp', port: 1, states: ['ESTABLISHED'] }), 'ACCEPT');
  t.notMatch(JSON.stringify(layout), /mark/i);
});

t.test('beside other firewalls what is allowed goes on to them, and what is denied does not', async (t) => {
  const layout = hostLayout(enforced(allow), { ...OPTIONS, verdict: 'coexist' });
  t.equal(endOf(layout, { source: '10.1.0.9', protocol: 'tcp', port: 5432 }), 'RETURN');
  t.equal(endOf(layout, { source: '10.2.0.9', protocol: 'tcp', port: 5432 }), 'DROP');
  t.notMatch(JSON.stringify(layout), /ACCEPT/);
});

t.test('who observes takes samples, accepts nothing, drops nothing and remembers what was judged', async (t) => {
  for (const policy of [
    policyOf(host({ mode: 'observe' }), management('10.99.0.0/24'), rules(allow)),
    policyOf(host(), rules(allow)),
  ]) {
    const layout = hostLayout(policy, { ...OPTIONS, publishedPorts: true });
    t.notMatch(JSON.stringify(layout), /ACCEPT|DROP/);
    const fate = fateOf(layout.families.inet, 'INPUT', { source: '10.2.0.1', protocol: 'tcp', port: 5432 });
    t.match(fate, { end: 'RETURN', mark: layout.generation * 65_536, samples: { length: 1 } });
  }
});

t.test('a compiled policy that enforces without anybody who can always get in is observed', async (t) => {
  const policy = enforced(allow);
  const unguarded = { ...policy, objects: policy.objects.map((object) => ({ ...object, failsafe: null })) };
  t.notMatch(JSON.stringify(hostLayout(unguarded, OPTIONS)), /DROP/);
});

t.test('with mode off, or with nothing to protect, everything passes at once', async (t) => {
  for (const policy of [policyOf(host({ mode: 'off' }), rules(allow)), { ...enforced(), objects: [] }]) {
    const { families } = hostLayout(policy, { ...OPTIONS, publishedPorts: true });
    for (const family of [families.inet, families.inet6]) {
      t.strictSame(family.sets, []);
      t.strictSame(
        family.chains.map(({ name, rules: held }) => [name, held.map(({ args }) => args.join(' '))]),
        [
          ['EW-IN', ['-j RETURN']],
          ['EW-FWD', ['-j RETURN']],
          ['EW-OUT', ['-j RETURN']],
        ],
      );
    }
  }
});

t.test('what a host begins itself is counted by protocol and left alone, whatever its policy says', async (t) => {
  const begun = { source: HOST_ADDRESS, protocol: 'tcp', port: 443, mark: 0x4000 };
  const table: [string, Packet, string[]][] = [
    ['a connection', begun, ['tcp']],
    ['a datagram', { ...begun, protocol: 'udp', port: 53 }, ['udp']],
    ['an echo', { ...begun, protocol: 'icmp', port: 8 }, ['other']],
    ['to itself', { ...begun, device: 'lo' }, []],
    ['what has an answer', { ...begun, states: ['ESTABLISHED'] }, []],
    ['an answer', { ...begun, states: ['ESTABLISHED'], direction: 'REPLY' }, []],
    ['an error about a flow', { ...begun, protocol: 'icmp', port: 3, states: ['RELATED'] }, []],
    ['no flow at all', { ...begun, states: ['INVALID'] }, []],
  ];
  const observed = policyOf(host({ mode: 'observe' }), rules(allow));
  for (const policy of [enforced(), enforced(allow), observed])
    for (const options of [OPTIONS, { ...OPTIONS, mark: null }, { ...OPTIONS, verdict: 'coexist' as const }]) {
      const { families } = hostLayout(policy, options);
      for (const [name, packet, counted] of table) {
        const wanted = { end: 'RETURN', mark: 0x4000, samples: [], counted };
        t.strictSame(fateOf(families.inet, 'OUTPUT', packet), wanted, name);
        t.strictSame(fateOf(families.inet6, 'OUTPUT', packet), wanted, `${name}, IPv6`);
      }
    }
});

t.test('no policy has other rules for what goes out than another, so no counter begins anew', async (t) => {
  const chainOf = (layout: HostLayout): unknown => layout.families.inet.chains.find(({ name }) => name === 'EW-OUT');
  const found = chainOf(hostLayout(enforced(allow), OPTIONS));
  t.ok(found);
  const observed = policyOf(host({ mode: 'observe' }), rules(allow));
  t.strictSame(chainOf(hostLayout(observed, { ...OPTIONS, publishedPorts: true, mark: null })), found);
});

t.test('published ports are judged by the port that was asked for, other forwarding is not ours', async (t) => {
  const layout = hostLayout(enforced({ ...allow, ports: ['tcp/8080'] }), { ...OPTIONS, publishedPorts: true });
  const packet = { source: '10.1.0.9', protocol: 'tcp', port: 80, originalPort: 8080, states: ['NEW', 'DNAT'] };
  t.equal(endOf(layout, packet, 'FORWARD'), 'ACCEPT');
  t.equal(endOf(layout, { ...packet, source: '10.2.0.9' }, 'FORWARD'), 'DROP');
  t.equal(endOf(layout, { ...packet, port: 8080, originalPort: 80 }, 'FORWARD'), 'DROP');
  t.equal(endOf(layout, { ...packet, source: '10.2.0.9', states: ['NEW'] }, 'FORWARD'), 'RETURN');
  const answer = { ...packet, source: '172.17.0.2', states: ['ESTABLISHED', 'DNAT'], direction: 'REPLY' as const };
  t.equal(endOf(layout, answer, 'FORWARD'), 'ACCEPT');
  t.strictSame(hostLayout(enforced(), OPTIONS).families.inet.hooks, [
    { chain: 'INPUT', target: 'EW-IN' },
    { chain: 'OUTPUT', target: 'EW-OUT' },
  ]);
});

t.test('a policy of no workload, or of several objects, is refused', async (t) => {
  const front = { kind: 'VirtualServer', name: 'front', labels: {}, point: HOST, bind: 'front', ports: ['tcp/443'] };
  for (const policy of [
    policyOf(front),
    policyOf(host(), front),
    policyOf(host(), { ...host(), name: 'billing-db-2' }),
  ]) {
    t.throws(() => hostLayout(policy, OPTIONS), { code: 'EDW_ERR_HOST_OBJECTS' });
  }
});

t.test('no text of a policy is in its layout: under other names it is the same', async (t) => {
  const plain = policyOf(host({ mode: 'enforce' }), management('10.99.0.0/24'), rules(allow));
  for (const name of [
    'a\n-I INPUT 1 -j ACCEPT',
    '10.0.0.1\nflush zz',
    '" -j ACCEPT',
    "'\\",
    'x'.repeat(40),
    '\u202e',
  ]) {
    const objects = plain.objects.map((object) => ({
      ...object,
      name,
      bind: name,
      rules: object.rules.map((rule) => ({ ...rule, id: name })),
    }));
    const hostile = { ...plain, point: name, objects };
    t.strictSame(hostLayout(hostile, OPTIONS), hostLayout(plain, OPTIONS), JSON.stringify(name));
  }
});
