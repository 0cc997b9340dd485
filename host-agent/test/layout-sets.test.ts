import { pack } from '@edgeward/policy';
import t from 'tap';
import { type FamilyLayout, hostLayout } from '../driver/layout/index.ts';
import { setOf } from '../driver/layout/sets.ts';
import { enforced, host, management, OPTIONS, policyOf, rules } from './fixtures/host-policies.ts';

const familiesOf = (...some: object[]): Record<'inet' | 'inet6', FamilyLayout> =>
  hostLayout(enforced(...some), OPTIONS).families;
/** Without the set of the management network. */
const setsOf = ({ sets }: FamilyLayout): { type: string; members: readonly string[] }[] =>
  sets.filter(({ members }) => members[0] !== '10.99.0.0/24').map(({ type, members }) => ({ type, members }));
const policyRulesOf = ({ chains }: FamilyLayout): string[] =>
  chains.find(({ name }) => name.startsWith('EW-POL-'))?.rules.map(({ args }) => args.join(' ')) ?? [];

t.test('narrow ports stand in one set of source and port, whoever may reach which', async (t) => {
  const { inet } = familiesOf(
    { from: [{ cidr: '10.1.0.0/24' }, { cidr: '10.1.1.0/24' }, { cidr: '10.1.0.7/32' }], ports: ['tcp/443', 'udp/53'] },
    { from: [{ cidr: '10.2.0.1/32' }], ports: ['tcp/443', 'tcp/8000-8001'] },
  );
  t.strictSame(setsOf(inet), [
    {
      type: 'hash:net,port',
      members: [
        '10.1.0.0/23,tcp:443',
        '10.1.0.0/23,udp:53',
        '10.2.0.1,tcp:443',
        '10.2.0.1,tcp:8000',
        '10.2.0.1,tcp:8001',
      ],
    },
  ]);
  t.equal(policyRulesOf(inet).length, 2, 'one lookup, then the end');
});

t.test('wide ranges are asked for by rules, each port by the rule of its sources alone', async (t) => {
  const { inet } = familiesOf(
    { from: [{ cidr: '10.1.0.0/24' }] },
    { from: [{ cidr: '10.2.0.0/24' }], ports: ['tcp/1000-2000', 'tcp/3000', 'udp/1000-2000'] },
  );
  t.strictSame(
    setsOf(inet).map(({ members }) => members),
    [['10.1.0.0/24', '10.2.0.0/24'], ['10.1.0.0/24']].toSorted((a, b) =>
      setOf('inet', 'hash:net', a).name < setOf('inet', 'hash:net', b).name ? -1 : 1,
    ),
  );
  t.match(policyRulesOf(inet), [
    /^-p tcp -m multiport --dports 1:999,2001:2999,3001:65535 -m set --match-set ew4n-[0-9a-f]{16} src -g EW-OK-\d+$/,
    /^-p udp -m multiport --dports 1:999,2001:65535 /,
    /^-p tcp -m multiport --dports 1000:2000,3000 /,
    /^-p udp -m udp --dport 1000:2000 /,
    /^-g EW-DENY-\d+$/,
  ]);
});

t.test('a rule asks for fifteen port numbers at most, of which a range is two', async (t) => {
  const wide = Array.from({ length: 12 }, (_, index) => `tcp/${1 + index * 1000}-${101 + index * 1000}`);
  const single = Array.from({ length: 6 }, (_, index) => `tcp/${20_000 + index * 2}`);
  const { inet } = familiesOf({ from: [{ cidr: '10.1.0.0/24' }], ports: [...wide, ...single] });
  const asked = policyRulesOf(inet).flatMap((rule) => /--dports ([0-9:,]+)/.exec(rule)?.[1] ?? []);
  t.strictSame(
    asked.map((ports) => ports.split(/[:,]/).length),
    [14, 15],
  );
  t.match(policyRulesOf(inet)[2], / --dport 20010 /, 'and what is left over alone');
});

t.test('everyone is no set, of one family or of both', async (t) => {
  const { inet, inet6 } = familiesOf({ from: [{ any: true }], ports: ['tcp/443'] }, { from: [{ cidr: '::/0' }] });
  t.strictSame([setsOf(inet), setsOf(inet6)], [[], []]);
  t.match(policyRulesOf(inet)[0], /^-p tcp -m tcp --dport 443 -g EW-OK-/);
  t.match(policyRulesOf(inet6), [
    /^-s ::ffff:0:0\/96 -g EW-DENY-/,
    /^-p tcp -m tcp --dport 1:65535 -g EW-OK-/,
    /^-p udp -m udp --dport 1:65535 -g EW-OK-/,
    /^-g EW-DENY-/,
  ]);
  t.strictSame(setsOf(familiesOf({ from: [{ cidr: '0.0.0.0/1' }, { cidr: '128.0.0.0/2' }], ports: ['tcp/1'] }).inet), [
    { type: 'hash:net,port', members: ['0.0.0.0/1,tcp:1', '128.0.0.0/2,tcp:1'] },
  ]);
});

t.test('everyone stays whole on a port where others are named on another', async (t) => {
  const { inet } = familiesOf(
    { from: [{ any: true }], ports: ['tcp/443'] },
    { from: [{ cidr: '10.1.2.3/32' }], ports: ['tcp/22', 'tcp/443'] },
  );
  t.strictSame(setsOf(inet), [{ type: 'hash:net,port', members: ['10.1.2.3,tcp:22'] }]);
});

t.test('a deny rule takes its sources and ports out of every set', async (t) => {
  const { inet } = familiesOf(
    { from: [{ cidr: '10.1.0.0/30' }], ports: ['tcp/443', 'tcp/444'] },
    { from: [{ cidr: '10.1.0.1/32' }], ports: ['tcp/444-500'], action: 'deny' },
    { from: [{ cidr: '10.1.0.2/32' }], action: 'deny' },
  );
  const at = (port: number): string[] =>
    setsOf(inet).flatMap(({ members }) => members.filter((member) => member.endsWith(`:${port}`)));
  t.strictSame(at(443), ['10.1.0.0/31,tcp:443', '10.1.0.3,tcp:443']);
  t.strictSame(at(444), ['10.1.0.0,tcp:444', '10.1.0.3,tcp:444']);
});

t.test('members are in the text that the kernel gives back', async (t) => {
  const { inet6 } = familiesOf({
    from: ['::1:0', '::2/127', '::8000:0/97', 'fe80::1', '2001:db8::/32', '::a00:1', '8000::/1'].map((cidr) => ({
      cidr: cidr.includes('/') ? cidr : `${cidr}/128`,
    })),
    ports: ['tcp/1'],
  });
  t.strictSame(
    setsOf(inet6)[0]?.members,
    // fe80::1 lies within 8000::/1.
    ['2001:db8::/32', '8000::/1', '::0.1.0.0', '::10.0.0.1', '::128.0.0.0/97', '::2/127'].map((net) => `${net},tcp:1`),
  );
});

t.test('equal members have one name, whatever order they came in, and no others have it', async (t) => {
  const one = setOf('inet', 'hash:net', ['10.2.0.0/16', '10.1.0.0/16', '10.2.0.0/16']);
  t.match(one, { members: ['10.1.0.0/16', '10.2.0.0/16'], maxelem: 65_536, name: /^ew4n-[0-9a-f]{16}$/ });
  t.equal(setOf('inet', 'hash:net', ['10.1.0.0/16', '10.2.0.0/16']).name, one.name);
  t.not(setOf('inet', 'hash:net', ['10.1.0.0/16']).name, one.name);
  t.match(setOf('inet6', 'hash:net,port', ['::1,tcp:1']).name, /^ew6p-/);
  for (const member of ['10.1.0.0/16\nflush x', 'host.example', '10.0.0.1 timeout 1', 'NaN', ''])
    t.throws(() => setOf('inet', 'hash:net', [member]), { message: /no member/ }, JSON.stringify(member));
});

t.test('a hundred thousand members have room, and beyond the room of pairs stand in a set of their own', async (t) => {
  const hosts = Array.from({ length: 100_000 }, (_, index) => ({
    kind: 'Workload',
    name: `w${index}`,
    labels: { app: 'crm' },
    addresses: [`10.${64 + (index >> 15)}.${(index >> 7) & 255}.${(index & 127) * 2}`],
  }));
  const given = (...ports: string[]) =>
    hostLayout(
      policyOf(
        host(),
        management('10.99.0.0/24'),
        ...hosts,
        rules(
          { from: [{ workloads: "app == 'crm'" }], ports },
          { from: [{ cidr: '192.0.2.0/24' }], ports: ['tcp/5432', 'udp/9'] },
        ),
      ),
      OPTIONS,
    ).families.inet;
  const shape = (family: FamilyLayout) =>
    family.sets
      .filter(({ members }) => members.length > 1)
      .map(({ type, maxelem, members }) => ({ type, maxelem, size: members.length }))
      .toSorted((a, b) => a.size - b.size);
  t.strictSame(shape(given('tcp/1', 'tcp/5432')), [{ type: 'hash:net,port', maxelem: 524_288, size: 200_002 }]);
  t.strictSame(shape(given('tcp/1', 'tcp/2', 'tcp/3')), [
    { type: 'hash:net,port', maxelem: 65_536, size: 2 },
    { type: 'hash:net', maxelem: 262_144, size: 100_000 },
  ]);
});

t.test('sources so scattered over ports that their sets would fill the host are refused', async (t) => {
  const count = 2100;
  const keyOf = (index: number): string => (0x0a01_0000 + index).toString(16).padStart(8, '0');
  const policy = enforced({ from: [{ any: true }] });
  const denied = Array.from({ length: count }, (_, index) => ({
    id: `d${index}`,
    action: 'deny' as const,
    ports: [{ protocol: 'tcp' as const, from: 2 + index * 2, to: 2 + index * 2 }],
    http: null,
  }));
  const objects = policy.objects.map((object) => ({
    ...object,
    rules: [...object.rules, ...denied],
    classes: denied.map((_, index) => [0, index + 1]),
    sources: pack(denied.map((_, index) => ({ lo: keyOf(index), hi: keyOf(index), value: index }))),
  }));
  t.throws(() => hostLayout({ ...policy, objects }, OPTIONS), { code: 'EDW_ERR_HOST_CAPACITY' });
});
