/** Documents that can't be read: their kind, keys, names, labels, addresses, ports and times. */
import { type Case, type Found, host, network, policy, rule, server, shop, without, workload } from './case.ts';

const one = (name: string, document: unknown, ...finds: Found[]): Case => ({ name, documents: [document], finds });

const shapes: Case[] = [
  ...[null, 'text', 42, true, [], [workload()]].map((document) =>
    one(`${JSON.stringify(document).slice(0, 20)} is no document`, document, ['EDW_ERR_DOCUMENT', '0']),
  ),
  ...['Host', 'workload', '', 'constructor', '__proto__', 5, null, ['Workload']].map((kind) =>
    one(`${JSON.stringify(kind)} is no kind`, { ...(workload() as object), kind }, ['EDW_ERR_UNKNOWN_KIND', '0.kind']),
  ),
  one('a document without a kind', without(workload(), 'kind'), ['EDW_ERR_MISSING_KEY', '0']),
  one('a key that no workload has', workload({ adresses: [] }), ['EDW_ERR_UNKNOWN_KEY', '0.adresses']),
  one('a key called like what every object inherits', workload({ constructor: 1 }), [
    'EDW_ERR_UNKNOWN_KEY',
    '0.constructor',
  ]),
  one('a key __proto__', JSON.parse('{"kind":"Service","name":"s","ports":["tcp/1"],"__proto__":{}}'), [
    'EDW_ERR_UNKNOWN_KEY',
    '0.__proto__',
  ]),
  ...['a\nb', '\x1b[31m', '', 'a\u2028\u202e\x9bb', 'x'.repeat(300)].map((key) =>
    one(`the key ${encodeURI(key.slice(0, 20))}`, workload({ [key]: 1 }), ['EDW_ERR_UNKNOWN_KEY', `0.${key}`]),
  ),
  one('a key of another kind', workload({ cidrs: ['10.0.0.0/8'] }), ['EDW_ERR_UNKNOWN_KEY', '0.cidrs']),
  ...(
    [
      [workload(), ['name', 'labels', 'addresses']],
      [{ kind: 'Point', name: 'p', management: [] }, ['name', 'management']],
      [network(), ['name', 'cidrs']],
      [{ kind: 'Service', name: 's', ports: ['tcp/443'] }, ['name', 'ports']],
      [server(), ['name', 'labels', 'point', 'bind', 'ports']],
      [policy(), ['name', 'rules']],
    ] as [unknown, string[]][]
  ).flatMap(([document, keys]) =>
    keys.map((key) =>
      one(`a ${(document as { kind: string }).kind} without ${key}`, without(document, key), [
        'EDW_ERR_MISSING_KEY',
        '0',
      ]),
    ),
  ),
  one('labels that are a list', workload({ labels: ['app'] }), ['EDW_ERR_TYPE', '0.labels']),
  one('labels that are nothing', workload({ labels: null }), ['EDW_ERR_TYPE', '0.labels']),
  one('addresses that are one text', workload({ addresses: '10.0.0.1' }), ['EDW_ERR_TYPE', '0.addresses']),
  one('rules that are a mapping', { kind: 'Policy', name: 'p', rules: {} }, ['EDW_ERR_TYPE', '0.rules']),
  one('an owner that is a number', network({ owner: 7 }), ['EDW_ERR_TYPE', '0.owner']),
  one('a bind that is a number', server({ bind: 443 }), ['EDW_ERR_TYPE', '0.bind']),
  one('a mode that is none', server({ mode: 'enforced' }), ['EDW_ERR_CHOICE', '0.mode']),
  one('a mode that YAML 1.1 would read as false', server({ mode: false }), ['EDW_ERR_CHOICE', '0.mode']),
  one('a protocol that is none', server({ protocol: 'https' }), ['EDW_ERR_CHOICE', '0.protocol']),
];

const LONG = 'a'.repeat(63);

/** What would do harm in a configuration, a shell, a log line or an object, were it ever a name. */
const HOSTILE = [
  'a]',
  'a;b',
  'a\nb',
  'a\n',
  '$(reboot)',
  '`id`',
  '__proto__',
  '-a',
  '.a',
  '_a',
  ' a',
  'a b',
  'a/b',
  'a\0',
  '',
  'ä',
  'а',
  'a"b',
  "a'b",
  'a{b}',
  'a%0a',
  '../a',
  `${LONG}a`,
];

const names: Case[] = [
  ...HOSTILE.flatMap((name) => [
    one(`${JSON.stringify(name)} names no workload`, workload({ name }), ['EDW_ERR_NAME', '0.name']),
    one(`${JSON.stringify(name)} names no point`, server({ point: name }), ['EDW_ERR_NAME', '0.point']),
    one(`${JSON.stringify(name)} is no id`, policy(rule({ id: name })), ['EDW_ERR_NAME', '0.rules.0.id']),
  ]),
  ...HOSTILE.map((name) =>
    one(`${JSON.stringify(name)} is no service`, policy(rule({ services: [name] })), [
      'EDW_ERR_NAME',
      '0.rules.0.services.0',
    ]),
  ),
  ...[5, null, true, ['a'], { a: 1 }].map((name) =>
    one(`${JSON.stringify(name)} names no network`, network({ name }), ['EDW_ERR_NAME', '0.name']),
  ),
  ...['', ' a', 'a b', 'a;', 'a\nb', '$server', 'a"', '//a', '-a', 'a'.repeat(257), '{a}'].map((bind) =>
    one(`${JSON.stringify(bind.slice(0, 20))} binds to nothing`, server({ bind }), ['EDW_ERR_NAME', '0.bind']),
  ),
];

const labels: Case[] = [
  ...[1, 1.5, true, null, ['prod'], { a: 'b' }].map((value) =>
    one(`the label value ${JSON.stringify(value)} is no string`, workload({ labels: { env: value } }), [
      'EDW_ERR_LABEL_NOT_STRING',
      '0.labels.env',
    ]),
  ),
  ...['a b', 'a;', 'a\n', "'", '$(id)', '-a', 'a-', 'ä', 'a/b', `${LONG}a`, 'a,b'].map((value) =>
    one(`${JSON.stringify(value)} is no label value`, workload({ labels: { env: value } }), [
      'EDW_ERR_LABEL',
      '0.labels.env',
    ]),
  ),
  ...['', 'a b', '-a', 'a-', '/a', 'a/', 'a/b/c', 'A.example/b', 'a..b/c', `${LONG}a`, `${'a'.repeat(254)}/b`].map(
    (key) =>
      one(`${JSON.stringify(key.slice(0, 20))} is no label key`, workload({ labels: { [key]: 'x' } }), [
        'EDW_ERR_LABEL',
        `0.labels.${key}`,
      ]),
  ),
  one('a label key __proto__', workload({ labels: JSON.parse('{"__proto__":"x"}') }), [
    'EDW_ERR_LABEL',
    '0.labels.__proto__',
  ]),
];

const addresses: Case[] = [
  ...['10.0.0.0/24', '10.0.0', '10.0.0.256', 'localhost', '', '10.0.0.1 ', '::1%eth0', 10, null].map((address) =>
    one(`${JSON.stringify(address)} is no address`, workload({ addresses: ['10.0.0.1', address] }), [
      'EDW_ERR_ADDRESS',
      '0.addresses.1',
    ]),
  ),
  ...['10.0.0.0/33', '10.0.0/24', 'any', '', '::/129', '10.0.0.0/', 10, null].map((cidr) =>
    one(`${JSON.stringify(cidr)} is no CIDR`, network({ cidrs: [cidr] }), ['EDW_ERR_CIDR', '0.cidrs.0']),
  ),
  one('a CIDR that is none in an exception', network({ except: ['192.0.2.0/24', '192.0.2'] }), [
    'EDW_ERR_CIDR',
    '0.except.1',
  ]),
  one('host bits in a network', network({ cidrs: ['192.0.2.1/24'] }), ['EDW_ERR_HOST_BITS', '0.cidrs.0']),
  one('host bits in a proxy', server({ trustedProxies: ['198.51.100.1/28'] }), [
    'EDW_ERR_HOST_BITS',
    '0.trustedProxies.0',
  ]),
  one('host bits in a management list', { kind: 'Point', name: 'p', management: ['2001:db8::1/64'] }, [
    'EDW_ERR_HOST_BITS',
    '0.management.0',
  ]),
  {
    name: 'host bits in a rule',
    documents: shop({ from: [{ cidr: '10.0.0.1/8' }] }),
    finds: [['EDW_ERR_HOST_BITS', '1.rules.0.from.0.cidr']],
  },
];

const ports: Case[] = [
  ...[
    '443',
    'tcp/0',
    'tcp/65536',
    'tcp/443-',
    'tcp/-443',
    'tcp/0443',
    'TCP/443',
    'sctp/1',
    'tcp/443 ',
    'tcp/a',
    443,
    null,
  ].map((port) => one(`${JSON.stringify(port)} is no port`, server({ ports: [port] }), ['EDW_ERR_PORT', '0.ports.0'])),
  one('a port range upside down', server({ ports: ['tcp/443', 'tcp/8099-8000'] }), ['EDW_ERR_PORT_RANGE', '0.ports.1']),
  one('a service without ports', { kind: 'Service', name: 's', ports: [] }, ['EDW_ERR_EMPTY_LIST', '0.ports']),
  one('a server without ports', server({ ports: [] }), ['EDW_ERR_EMPTY_LIST', '0.ports']),
  one('a host with an empty list of ports', host({ ports: [] }), ['EDW_ERR_EMPTY_LIST', '0.ports']),
  one('udp on a server whose requests are judged', server({ ports: ['tcp/443', 'udp/443'] }), [
    'EDW_ERR_UDP_ON_HTTP',
    '0.ports.1',
  ]),
];

const times: Case[] = [
  '2027-01-31',
  '2027-01-31T00:00:00',
  '2027-01-31T00:00:00+01:00',
  '2027-02-29T00:00:00Z',
  '2027-13-01T00:00:00Z',
  '2027-01-31T24:00:00Z',
  '2027-01-31T00:60:00Z',
  '2027-01-31t00:00:00z',
  ' 2027-01-31T00:00:00Z',
  'tomorrow',
  '',
  1_800_000_000,
  null,
].map((expires) => one(`${JSON.stringify(expires)} is no time`, network({ expires }), ['EDW_ERR_TIME', '0.expires']));

export const badDocuments: Case[] = [...shapes, ...names, ...labels, ...addresses, ...ports, ...times];
