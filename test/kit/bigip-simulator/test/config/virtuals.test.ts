import t from 'tap';
import type { BoxConfig } from '../../src/config/box-config.ts';
import { applied, box, create, INTERNAL, modify, outcome, remove } from './fixtures/box.ts';

const RULE = 'ltm rule';
const VIRTUAL = 'ltm virtual';

function withRules(): BoxConfig {
  const config = box();
  config.apply([
    create(RULE, { name: 'l4', apiAnonymous: '\n when CLIENT_ACCEPTED { }\n ' }),
    create(RULE, { name: 'l7', apiAnonymous: 'when HTTP_REQUEST { }' }),
    create('ltm pool', { name: 'p', members: ['10.0.0.1:80'] }),
  ]);
  return config;
}

t.test('a rule is kept without the blanks around it, and one that does not load is refused', async (t) => {
  const config = withRules();
  t.strictSame(config.get(RULE, '/Common/l4')?.properties, { apiAnonymous: 'when CLIENT_ACCEPTED { }' });
  t.equal(
    outcome(() => config.apply([modify(RULE, '/Common/l4', { apiAnonymous: 'bad' })])),
    '400 01070151:3: Rule [/Common/l4] error: /Common/l4:1: error: [reason][bad]',
  );
  t.match(
    outcome(() => config.apply([create(RULE, { name: 'x', apiAnonymous: ' ' })])),
    /^400 invalid property value/,
  );
});

t.test('destinations, with route domains, services and both families', async (t) => {
  const table: [string, string, string, string][] = [
    ['10.0.0.1:443', '/Common/10.0.0.1:443', '255.255.255.255', '0.0.0.0/0'],
    ['/Common/10.0.0.1%2:https', '/Common/10.0.0.1%2:443', '255.255.255.255', '0.0.0.0%2/0'],
    ['10.0.0.1%0:any', '/Common/10.0.0.1:0', '255.255.255.255', '0.0.0.0/0'],
    ['2001:DB8::1.443', '/Common/2001:db8::1.443', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '::/0'],
    ['any:80', '/Common/0.0.0.0:80', 'any', '0.0.0.0/0'],
  ];
  for (const [said, destination, mask, source] of table) {
    const config = withRules();
    config.apply([create('net route-domain', { name: '2', id: 2 })]);
    const { properties } = applied(config, create(VIRTUAL, { name: 'v', destination: said, profiles: ['tcp'] }));
    t.match(properties, { destination, mask, source, ipProtocol: 'tcp', enabled: true }, said);
  }
  t.equal(
    outcome(() => box().apply([create(VIRTUAL, { name: 'v', destination: '10.0.0.1%7:80' })])),
    '404 01020036:3: The requested route domain (7) was not found.',
  );
  for (const destination of ['10.0.0.1', '10.0.0.1:70000', 'host:80', '', '10.0.0.1:constructor'])
    t.match(
      outcome(() => box().apply([create(VIRTUAL, { name: 'v', destination })])),
      /^400 invalid/,
      destination,
    );
});

t.test('rules are ordered, must exist, and are replaced whole', async (t) => {
  const config = withRules();
  const made = applied(
    config,
    create(VIRTUAL, { name: 'v', destination: '10.0.0.1:80', profiles: ['http', 'tcp'], rules: ['/Common/l7', 'l4'] }),
  );
  t.strictSame(made.properties.rules, ['/Common/l7', '/Common/l4']);
  const { properties } = applied(config, modify(VIRTUAL, '/Common/v', { rules: ['/Common/l4'] }));
  t.strictSame(properties.rules, ['/Common/l4']);
  t.notOk('rules' in applied(config, modify(VIRTUAL, '/Common/v', { rules: [] })).properties);
  t.equal(
    outcome(() => config.apply([modify(VIRTUAL, '/Common/v', { rules: ['/Common/none'] })])),
    '404 01020036:3: The requested iRule (/Common/none) was not found.',
  );
  t.match(
    outcome(() => config.apply([modify(VIRTUAL, '/Common/v', { rules: ['/Common/l4', 'l4'] })])),
    /^400 /,
  );
});

t.test('profiles have a place and a context, and without any it is fastL4', async (t) => {
  const config = box();
  const said = [{ name: 'clientssl' }, '/Common/tcp', { name: '/Common/serverssl', context: 'serverside' }];
  const { properties } = applied(config, create(VIRTUAL, { name: 'v', destination: '10.0.0.1:80', profiles: said }));
  t.strictSame(properties.profiles, [
    { name: 'clientssl', partition: 'Common', fullPath: '/Common/clientssl', context: 'clientside' },
    { name: 'serverssl', partition: 'Common', fullPath: '/Common/serverssl', context: 'serverside' },
    { name: 'tcp', partition: 'Common', fullPath: '/Common/tcp', context: 'all' },
  ]);
  const plain = applied(config, create(VIRTUAL, { name: 'w', destination: '10.0.0.2:80' })).properties;
  t.match(plain, { ipProtocol: 'any', profiles: [{ fullPath: '/Common/fastL4' }] });
  t.equal(
    outcome(() => config.apply([modify(VIRTUAL, '/Common/w', { profiles: ['none-such'] })])),
    '404 01020036:3: The requested profile (/Common/none-such) was not found.',
  );
});

t.test('a rule of HTTP events needs an http profile, whichever of the two comes first', async (t) => {
  const config = withRules();
  const refused = (rule: string): string =>
    `400 01070394:3: HTTP_REQUEST event in rule (/Common/${rule}) requires an associated HTTP or FASTHTTP profile on the virtual server (/Common/v).`;
  const body = { name: 'v', destination: '10.0.0.1:80', profiles: ['tcp'] };
  t.equal(
    outcome(() => config.apply([create(VIRTUAL, { ...body, rules: ['l7'] })])),
    refused('l7'),
  );
  config.apply([create(VIRTUAL, { ...body, rules: ['l4'] })]);
  t.equal(
    outcome(() => config.apply([modify(RULE, '/Common/l4', { apiAnonymous: 'when HTTP_REQUEST { }' })])),
    refused('l4'),
  );
  config.apply([
    create('ltm profile http', { name: 'own' }),
    modify(VIRTUAL, '/Common/v', { profiles: ['tcp', 'own'], rules: ['l7'] }),
  ]);
  t.equal(
    outcome(() => config.apply([modify(VIRTUAL, '/Common/v', { profiles: ['tcp'] })])),
    refused('l7'),
  );
  t.match(
    outcome(() => config.apply([remove('ltm profile http', '/Common/own')])),
    /^400 01070265:3: .*\/Common\/own/,
  );
});

t.test('what somebody refers to cannot be removed, unless both go at once', async (t) => {
  const config = withRules();
  config.apply([
    create(INTERNAL, { name: 'd', type: 'string' }),
    create(INTERNAL, { name: 'hidden', type: 'string' }),
    create(RULE, { name: 'uses', apiAnonymous: 'when CLIENT_ACCEPTED { class d pool /Common/p; set n hidden }' }),
    create(VIRTUAL, { name: 'v', destination: '10.0.0.1:80', pool: 'p', profiles: ['tcp'], rules: ['l4'] }),
  ]);
  const table: [string, string, string][] = [
    [
      RULE,
      '/Common/l4',
      'The rule (/Common/l4) cannot be deleted because it is in use by a virtual server (/Common/v).',
    ],
    [
      INTERNAL,
      '/Common/d',
      'The value list (/Common/d) cannot be deleted because it is in use by a rule (/Common/uses).',
    ],
    ['ltm pool', '/Common/p', 'The Pool (/Common/p) cannot be deleted because it is in use by a rule (/Common/uses).'],
  ];
  for (const [kind, path, expect] of table)
    t.equal(
      outcome(() => config.apply([remove(kind, path)])),
      `400 01070265:3: ${expect}`,
    );
  t.equal(
    outcome(() => config.apply([remove(INTERNAL, '/Common/hidden')])),
    'done',
    'a variable protects nothing',
  );
  config.apply([remove(INTERNAL, '/Common/d'), remove(RULE, '/Common/uses')]);
  t.equal(
    outcome(() => config.apply([remove('ltm pool', '/Common/p')])),
    '400 01070265:3: The Pool (/Common/p) cannot be deleted because it is in use by a Virtual Server (/Common/v).',
  );
  config.apply([remove(RULE, '/Common/l4'), modify(VIRTUAL, '/Common/v', { rules: [], pool: 'none' })]);
  t.equal(
    outcome(() => config.apply([remove('ltm pool', '/Common/p')])),
    'done',
  );
});

t.test('a rule that refers to nothing that exists is refused; one written with what it needs is not', async (t) => {
  const config = box();
  const rule = create(RULE, { name: 'r', apiAnonymous: 'when CLIENT_ACCEPTED { class d }' });
  t.match(
    outcome(() => config.apply([rule])),
    /^400 01070151:3: .*Unable to find value_list d/,
  );
  t.equal(
    outcome(() => config.apply([rule, create(INTERNAL, { name: 'd', type: 'ip' })])),
    'done',
  );
});

t.test('two virtual servers cannot share a place', async (t) => {
  const config = box();
  config.apply([create(VIRTUAL, { name: 'a', destination: '10.0.0.1:80' })]);
  t.equal(
    outcome(() => config.apply([create(VIRTUAL, { name: 'b', destination: '10.0.0.1:80' })])),
    '400 01070333:3: Virtual Server /Common/b illegally shares destination address, source address, service port, and ip-protocol with Virtual Server /Common/a.',
  );
  t.equal(
    outcome(() => config.apply([create(VIRTUAL, { name: 'b', destination: '10.0.0.1:81' })])),
    'done',
  );
});

t.test('one of two flags takes the other away', async (t) => {
  const config = box();
  config.apply([create(VIRTUAL, { name: 'v', destination: '10.0.0.1:80', disabled: true })]);
  const stands = (): unknown[] =>
    ['enabled', 'disabled'].map((flag) => config.get(VIRTUAL, '/Common/v')?.properties[flag]);
  t.strictSame(stands(), [undefined, true]);
  config.apply([modify(VIRTUAL, '/Common/v', { description: 'still' })]);
  t.strictSame(stands(), [undefined, true]);
  config.apply([modify(VIRTUAL, '/Common/v', { enabled: true })]);
  t.strictSame(stands(), [true, undefined]);
});

t.test('members bring their nodes along, which stay while a pool holds them', async (t) => {
  const config = box();
  config.apply([
    create('ltm node', { name: 'web', address: '10.0.0.9%0' }),
    create('ltm pool', { name: 'p', members: [{ name: 'web:http' }, '10.0.0.1%0:80', '2001:DB8::1.443'] }),
  ]);
  t.match(config.get('ltm pool', '/Common/p')?.properties.members, [
    { name: '10.0.0.1:80', fullPath: '/Common/10.0.0.1:80', address: '10.0.0.1', session: 'user-enabled' },
    { name: '2001:db8::1.443', address: '2001:db8::1' },
    { name: 'web:80', address: '10.0.0.9' },
  ]);
  t.strictSame(
    config.list('ltm node').map(({ fullPath }) => fullPath),
    ['/Common/10.0.0.1', '/Common/2001:db8::1', '/Common/web'],
  );
  t.equal(
    outcome(() => config.apply([remove('ltm node', '/Common/web')])),
    "400 01070110:3: Node address '/Common/web' is referenced by a member of pool '/Common/p'.",
  );
  t.equal(
    outcome(() => config.apply([create('ltm pool', { name: 'q', members: ['none:80'] })])),
    '404 01020036:3: The requested Node (/Common/none) was not found.',
  );
  t.notOk('members' in applied(config, modify('ltm pool', '/Common/p', { members: [] })).properties);
});

t.test('logs go to a publisher of destinations that exist, of a pool that exists', async (t) => {
  const config = withRules();
  const hsl = 'sys log-config destination remote-high-speed-log';
  t.equal(
    outcome(() => config.apply([create(hsl, { name: 'hsl', poolName: 'nowhere' })])),
    '404 01020036:3: The requested Pool (/Common/nowhere) was not found.',
  );
  const pair = [
    create(hsl, { name: 'hsl', poolName: 'p', protocol: 'udp' }),
    create('sys log-config publisher', {
      name: 'pub',
      destinations: [{ name: 'hsl', partition: 'Common' }, 'local-syslog'],
    }),
  ];
  config.apply(pair);
  t.match(config.get(hsl, '/Common/hsl')?.properties, {
    poolName: '/Common/p',
    protocol: 'udp',
    distribution: 'adaptive',
  });
  t.match(
    outcome(() => config.apply([remove(hsl, '/Common/hsl')])),
    /^400 01070265:3: .*log publisher \(\/Common\/pub\)/,
  );
  t.match(
    outcome(() => config.apply([create('sys log-config publisher', { name: 'x', destinations: ['none'] })])),
    /^404 01020036:3: The requested log destination \(\/Common\/none\)/,
  );
});
