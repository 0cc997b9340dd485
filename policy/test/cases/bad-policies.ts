/** Rules that can't be read, and names that are not there or there twice. */
import { type Case, type Found, host, policy, rule, server, shop, workload } from './case.ts';

const inRule = (name: string, rest: Record<string, unknown>, ...finds: [code: string, at: string][]): Case => ({
  name,
  documents: shop(rest),
  finds: finds.map(([code, at]): Found => [code, at === '' ? '1.rules.0' : `1.rules.0.${at}`]),
});

const selector = (name: string, to: unknown, code: string, at: string): Case => inRule(name, { to }, [code, at]);

const selectors: Case[] = [
  ...['', ' ', "app = 'shop'", 'app == "shop"', 'shop', "app == 'shop' ||", 'app in {}', "app =~ 's.*'"].map((to) =>
    selector(`${JSON.stringify(to)} is no selector`, to, 'EDW_ERR_SELECTOR', 'to'),
  ),
  ...[null, 5, true, ["app == 'shop'"]].map((to) =>
    selector(`${JSON.stringify(to)} is no selector`, to, 'EDW_ERR_SELECTOR', 'to'),
  ),
  selector('a selector that steers a terminal', "app == 'a\x1b[2J'", 'EDW_ERR_SELECTOR', 'to'),
  selector('a selector that begins with a control character', '\x1b', 'EDW_ERR_SELECTOR', 'to'),
  selector('an empty Kubernetes selector', {}, 'EDW_ERR_SELECTOR', 'to'),
  selector('a Kubernetes selector of empty parts', { matchLabels: {}, matchExpressions: [] }, 'EDW_ERR_SELECTOR', 'to'),
  selector(
    'matchLabels that are a list',
    { matchLabels: ['app'], matchExpressions: [{ key: 'app', operator: 'Exists' }] },
    'EDW_ERR_SELECTOR',
    'to.matchLabels',
  ),
  selector('a number in matchLabels', { matchLabels: { app: 1 } }, 'EDW_ERR_LABEL_NOT_STRING', 'to.matchLabels.app'),
  selector('a hostile value in matchLabels', { matchLabels: { app: "a'b" } }, 'EDW_ERR_LABEL', 'to.matchLabels.app'),
  selector('a hostile key in matchLabels', { matchLabels: { 'a b': 'x' } }, 'EDW_ERR_LABEL', 'to.matchLabels.a b'),
  selector(
    'a key that no selector has',
    { matchLabels: { app: 'shop' }, matchFields: [] },
    'EDW_ERR_UNKNOWN_KEY',
    'to.matchFields',
  ),
  selector(
    'an operator that is none',
    { matchExpressions: [{ key: 'app', operator: 'Like', values: ['s'] }] },
    'EDW_ERR_CHOICE',
    'to.matchExpressions.0.operator',
  ),
  selector(
    'an operator called like what every object inherits',
    { matchExpressions: [{ key: 'app', operator: 'constructor' }] },
    'EDW_ERR_CHOICE',
    'to.matchExpressions.0.operator',
  ),
  selector(
    'an expression without an operator',
    { matchExpressions: [{ key: 'app' }] },
    'EDW_ERR_MISSING_KEY',
    'to.matchExpressions.0',
  ),
  selector(
    'In without values',
    { matchExpressions: [{ key: 'app', operator: 'In' }] },
    'EDW_ERR_SELECTOR',
    'to.matchExpressions.0.values',
  ),
  selector(
    'In with one text',
    { matchExpressions: [{ key: 'app', operator: 'In', values: 'shop' }] },
    'EDW_ERR_SELECTOR',
    'to.matchExpressions.0.values',
  ),
  selector(
    'NotIn with no values',
    { matchExpressions: [{ key: 'app', operator: 'NotIn', values: [] }] },
    'EDW_ERR_SELECTOR',
    'to.matchExpressions.0.values',
  ),
  selector(
    'Exists with values',
    { matchExpressions: [{ key: 'app', operator: 'Exists', values: ['shop'] }] },
    'EDW_ERR_SELECTOR',
    'to.matchExpressions.0.values',
  ),
  selector(
    'Exists with one text',
    { matchExpressions: [{ key: 'app', operator: 'Exists', values: 'shop' }] },
    'EDW_ERR_SELECTOR',
    'to.matchExpressions.0.values',
  ),
  selector('an expression that is a text', { matchExpressions: ['app'] }, 'EDW_ERR_TYPE', 'to.matchExpressions.0'),
];

const sources: Case[] = [
  inRule('no source at all', { from: [] }, ['EDW_ERR_EMPTY_LIST', 'from']),
  inRule('a source that is a text', { from: ['10.0.0.0/8'] }, ['EDW_ERR_TYPE', 'from.0']),
  inRule('sources that are one mapping', { from: { any: true } }, ['EDW_ERR_TYPE', 'from']),
  inRule('an empty source', { from: [{}] }, ['EDW_ERR_SOURCE_TERM', 'from.0']),
  inRule('two sources in one entry', { from: [{ cidr: '10.0.0.0/8', any: true }] }, ['EDW_ERR_SOURCE_TERM', 'from.0']),
  inRule('any: false', { from: [{ any: false }] }, ['EDW_ERR_SOURCE_TERM', 'from.0.any']),
  inRule("any: 'true'", { from: [{ any: 'true' }] }, ['EDW_ERR_SOURCE_TERM', 'from.0.any']),
  inRule('a fence around a CIDR', { from: [{ cidr: '10.0.0.0/8', within: ['10.0.0.0/9'] }] }, [
    'EDW_ERR_SOURCE_TERM',
    'from.0.within',
  ]),
  inRule('a limit on everybody', { from: [{ any: true, max: 3 }] }, ['EDW_ERR_SOURCE_TERM', 'from.0.max']),
  inRule('an empty fence', { from: [{ workloads: 'all()', within: [] }] }, ['EDW_ERR_EMPTY_LIST', 'from.0.within']),
  inRule('a fence that is one text', { from: [{ workloads: 'all()', within: '10.0.0.0/8' }] }, [
    'EDW_ERR_TYPE',
    'from.0.within',
  ]),
  ...[-1, 1.5, '3', null, true].map((max) =>
    inRule(`a limit of ${JSON.stringify(max)}`, { from: [{ workloads: 'all()', max }] }, [
      'EDW_ERR_TYPE',
      'from.0.max',
    ]),
  ),
  inRule('an empty selector of workloads', { from: [{ workloads: '' }] }, ['EDW_ERR_SELECTOR', 'from.0.workloads']),
  inRule('a network that is not there', { from: [{ any: true }, { network: 'nowhere' }] }, [
    'EDW_ERR_UNKNOWN_NETWORK',
    'from.1.network',
  ]),
  inRule('a network called like what every object inherits', { from: [{ network: 'constructor' }] }, [
    'EDW_ERR_UNKNOWN_NETWORK',
    'from.0.network',
  ]),
  inRule('a source with an unknown key', { from: [{ cidr: '10.0.0.0/8', except: [] }] }, [
    'EDW_ERR_UNKNOWN_KEY',
    'from.0.except',
  ]),
];

const conditions: Case[] = [
  inRule('no condition at all', { http: [] }, ['EDW_ERR_EMPTY_LIST', 'http']),
  inRule('an empty condition', { http: [{ path: '/' }, {}] }, ['EDW_ERR_HTTP_CONDITION', 'http.1']),
  inRule('no method', { http: [{ methods: [] }] }, ['EDW_ERR_EMPTY_LIST', 'http.0.methods']),
  inRule('no host', { http: [{ hosts: [] }] }, ['EDW_ERR_EMPTY_LIST', 'http.0.hosts']),
  inRule('a condition that is a text', { http: ['/v1'] }, ['EDW_ERR_TYPE', 'http.0']),
  inRule('a key that no condition has', { http: [{ path: '/', method: 'GET' }] }, [
    'EDW_ERR_UNKNOWN_KEY',
    'http.0.method',
  ]),
  ...['get', '', 'GET ', 'G T', '*', 5, 'A'.repeat(33)].map((method) =>
    inRule(`${JSON.stringify(method)} is no method`, { http: [{ methods: ['GET', method] }] }, [
      'EDW_ERR_HTTP_CONDITION',
      'http.0.methods.1',
    ]),
  ),
  ...['', '*.example', 'shop.example:443', 'http://shop', 'a b', 'u@h', '.', 5, 'shop/'].map((it) =>
    inRule(`${JSON.stringify(it)} is no host`, { http: [{ hosts: [it] }] }, [
      'EDW_ERR_HTTP_CONDITION',
      'http.0.hosts.0',
    ]),
  ),
  ...[
    '',
    'v1',
    '/a%20b',
    '/a?b',
    '/a#b',
    '//',
    '/a//b',
    '/.',
    '/a/../b',
    '/a/./b',
    '/a/..',
    '/*/b',
    '/a*',
    '/a/**',
    '/a\\b',
    '/a\n',
    '/..;/a',
    '/.;x/*',
    'http://h/',
  ].map((path) =>
    inRule(`${JSON.stringify(path)} is no path`, { http: [{ path }] }, ['EDW_ERR_HTTP_PATH', 'http.0.path']),
  ),
  inRule('a path that is a number', { http: [{ path: 5 }] }, ['EDW_ERR_TYPE', 'http.0.path']),
];

const rest: Case[] = [
  inRule(
    'a rule without from',
    { from: undefined, to: undefined },
    ['EDW_ERR_TYPE', 'from'],
    ['EDW_ERR_SELECTOR', 'to'],
  ),
  {
    name: 'a rule without an id, from and to',
    documents: [policy({})],
    finds: ['', '', ''].map((): Found => ['EDW_ERR_MISSING_KEY', '0.rules.0']),
  },
  { name: 'a rule that is a text', documents: [policy('r')], finds: [['EDW_ERR_TYPE', '0.rules.0']] },
  inRule('no services', { services: [] }, ['EDW_ERR_EMPTY_LIST', 'services']),
  inRule('no ports', { ports: [] }, ['EDW_ERR_EMPTY_LIST', 'ports']),
  inRule('a service that is not there', { services: ['https'] }, ['EDW_ERR_UNKNOWN_SERVICE', 'services']),
  inRule('an action that is none', { action: 'reject' }, ['EDW_ERR_CHOICE', 'action']),
  inRule('an end that is no time', { until: '2026-12-24' }, ['EDW_ERR_TIME', 'until']),
  inRule('a reason that is a number', { why: 4411 }, ['EDW_ERR_TYPE', 'why']),
  inRule('a review that is no text', { reviewed: true }, ['EDW_ERR_TYPE', 'reviewed']),
];

const tests: Case[] = (
  [
    ['a test from nowhere', { from: '10.0.0.0/8' }, ['EDW_ERR_ADDRESS', 'from']],
    ['a test of a port that is none', { port: '443' }, ['EDW_ERR_PORT', 'port']],
    ['a test of a range', { port: 'tcp/1-2' }, ['EDW_ERR_PORT', 'port']],
    ['a test that expects something else', { expect: 'reject' }, ['EDW_ERR_CHOICE', 'expect']],
    ['a test whose request has no method', { request: '/v1/orders' }, ['EDW_ERR_TYPE', 'request']],
    ['a test of a hostile name', { to: 'a;b' }, ['EDW_ERR_NAME', 'to']],
    ['a test with an unknown key', { host: 'shop.example' }, ['EDW_ERR_UNKNOWN_KEY', 'host']],
  ] as [string, object, [string, string]][]
).map(([name, changed, [code, at]]) => ({
  name,
  documents: [
    server(),
    {
      kind: 'Policy',
      name: 'p',
      rules: [],
      tests: [{ from: '10.9.9.9', to: 'front', port: 'tcp/443', expect: 'deny', ...changed }],
    },
  ],
  finds: [[code, `1.tests.0.${at}`]],
}));

const twice: Case[] = [
  {
    name: 'two workloads of one name',
    documents: [workload(), workload({ addresses: [] })],
    finds: [['EDW_ERR_DUPLICATE_NAME', '1.name']],
  },
  {
    name: 'three policies of one name',
    documents: [policy(), policy(), policy()],
    finds: [
      ['EDW_ERR_DUPLICATE_NAME', '1.name'],
      ['EDW_ERR_DUPLICATE_NAME', '2.name'],
    ],
  },
  {
    name: 'a server and a host of one name',
    documents: [server(), host({ name: 'front' })],
    finds: [['EDW_ERR_DUPLICATE_NAME', '1.name']],
  },
  {
    name: 'two rules of one id in one policy',
    documents: [server(), policy(rule(), rule())],
    finds: [['EDW_ERR_DUPLICATE_RULE', '1.rules.1.id']],
  },
  {
    name: 'two rules of one id in two policies',
    documents: [
      server(),
      { kind: 'Policy', name: 'a', rules: [rule()] },
      { kind: 'Policy', name: 'b', rules: [rule()] },
    ],
    finds: [['EDW_ERR_DUPLICATE_RULE', '2.rules.0.id']],
  },
  {
    name: 'two servers of one bind at one point',
    documents: [server(), server({ name: 'other' })],
    finds: [['EDW_ERR_DUPLICATE_BIND', '1.bind']],
  },
  {
    // It would take the server's place at the point, in observe.
    name: 'a protected workload that has the bind of a server at its point for a name',
    documents: [host({ name: 'order-front', point: 'edge-1' }), server({ bind: 'order-front' })],
    finds: [['EDW_ERR_DUPLICATE_BIND', '0.name']],
  },
];

export const badPolicies: Case[] = [...selectors, ...sources, ...conditions, ...rest, ...tests, ...twice];
