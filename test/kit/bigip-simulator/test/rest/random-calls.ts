/** Calls that nobody would make, and some that one would, from a seed. */
export interface RandomCall {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string | Buffer | undefined;
}

/** Numbers below one, the same for the same seed. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function randomCall(random: () => number): RandomCall {
  return {
    method: pick(random, methods),
    path: randomPath(random),
    headers: randomHeaders(random),
    body: randomBody(random),
  };
}

const methods = ['GET', 'GET', 'POST', 'POST', 'PATCH', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND'];
const roots = ['/mgmt/tm', '/mgmt/tm', '/mgmt/tm', '/mgmt/shared', '/mgmt', '', '/mgmt/tm/task/sys'];
const segments = [
  ...['ltm', 'sys', 'cm', 'auth', 'net', 'transaction', 'util', 'authz', 'authn', 'login', 'tokens', 'file-transfer'],
  ...[
    'data-group',
    'internal',
    'external',
    'rule',
    'virtual',
    'pool',
    'members',
    'profiles',
    'policy',
    'partition',
    'folder',
  ],
  ...[
    'config',
    'ready',
    'sync-status',
    'device-group',
    'device',
    'uploads',
    'unix-rm',
    'stats',
    'commands',
    '1',
    'failover',
  ],
  ...[
    '~Common~x',
    '~Common~p',
    '~',
    '~~',
    '~Common',
    '~Common~app~x',
    '%2e%2e',
    '..',
    '%00',
    '%',
    '%zz',
    '%E2%98%83',
    '~Common~%2510',
  ],
  ...[
    'constructor',
    '__proto__',
    'hasOwnProperty',
    'x'.repeat(300),
    '$filter',
    '*',
    ' ',
    '{',
    'f.txt',
    'log-config',
    'publisher',
  ],
];
const queries = [
  ...[
    '',
    '',
    '',
    '$filter=partition+eq+Common',
    '$select=name',
    '$top=1&$skip=1',
    '$top=-1',
    '$top=1e9',
    '$skip=x',
    'ver=17.1.2',
  ],
  ...[
    'expandSubcollections=true',
    'options=records+add+{+a+{+data+b+}+}',
    'options=records+delete+{',
    'options={{{{',
    'options=;[exit]',
  ],
  ...['options=%00', '&&&===', '$select=__proto__', '$filter=%', 'options=records+modify+all+{+data+x+}'],
];
const values: unknown[] = [
  ...[
    'x',
    '',
    '/Common/p',
    '../x',
    '[exit]',
    '$(rm)',
    '}',
    '"',
    '\u0000',
    '☃',
    'none',
    '-1',
    '127.0.0.1:80',
    'x'.repeat(70_000),
  ],
  ...[
    0,
    -1,
    1e308,
    null,
    true,
    false,
    [],
    {},
    [[]],
    [null],
    [{ name: 'a' }],
    { name: {} },
    ['a', 'a'],
    [{ name: 'a', data: {} }],
  ],
];
const properties = [
  ...[
    'name',
    'partition',
    'subPath',
    'type',
    'records',
    'members',
    'rules',
    'profiles',
    'destination',
    'pool',
    'apiAnonymous',
  ],
  ...[
    'command',
    'options',
    'utilCmdArgs',
    'state',
    'validateOnly',
    'timeout',
    'username',
    'password',
    'externalFileName',
  ],
  ...[
    'sourcePath',
    'fullPath',
    'generation',
    'kind',
    'autoSync',
    'constructor',
    'toString',
    'evalOrder',
    'maxMessageBodySize',
  ],
];

/** Paths that mean something: most calls should get further than to the door. */
const known = [
  ...[
    'ltm/data-group/internal',
    'ltm/data-group/external',
    'ltm/rule',
    'ltm/virtual',
    'ltm/pool',
    'ltm/node',
    'ltm/policy',
  ],
  ...['ltm/profile/http', 'ltm/monitor/tcp', 'sys/file/data-group', 'sys/folder', 'auth/partition', 'net/route-domain'],
  ...[
    'sys/log-config/publisher',
    'sys/log-config/destination/remote-high-speed-log',
    'cm/device-group',
    'cm/device',
    'cm',
  ],
  ...[
    'transaction',
    'sys/config',
    'task/sys/config',
    'util/unix-rm',
    'sys/failover',
    'cm/sync-status',
    'ltm/rule/stats',
  ],
];
const names = ['x', '~Common~x', '~Common~p', '~Common~%2510', '~Common~failover_group', 'Common', '~Common', '1', '~'];
const parts = [
  '',
  '',
  '',
  'members',
  'profiles',
  'devices',
  'stats',
  'members/~Common~x',
  'commands',
  'result',
  'rules/x',
];

function randomPath(random: () => number): string {
  if (random() < 0.7) {
    const rest = random() < 0.5 ? '' : `/${pick(random, names)}/${pick(random, parts)}`;
    const query = pick(random, queries);
    return encodeUnsafe(`/mgmt/tm/${pick(random, known)}${rest}${query === '' ? '' : `?${query}`}`);
  }
  const count = Math.floor(random() * 6);
  const path = Array.from({ length: count }, () => pick(random, segments)).join('/');
  const query = pick(random, queries);
  return encodeUnsafe(`${pick(random, roots)}/${path}${query === '' ? '' : `?${query}`}`);
}

function randomHeaders(random: () => number): Record<string, string> {
  const some = [
    { 'x-f5-rest-coordination-id': pick(random, ['1', '', 'x', '99999999999999999999', '__proto__']) },
    { 'content-range': pick(random, ['0-0/1', '0-9/10', '', 'x', '9-0/1', '0-0/999999999999', 'bytes */5']) },
    { 'x-f5-auth-token': pick(random, ['', 'x', 'y'.repeat(5_000), 'constructor']) },
    { authorization: pick(random, ['', 'Basic', 'Basic ====', 'Basic OjA=', 'Bearer x', 'Basic YWRtaW46YWRtaW4=']) },
    { 'content-type': pick(random, ['text/plain', 'application/xml', '']) },
    { 'transfer-encoding': 'chunked' },
    { expect: '100-continue' },
  ];
  return Object.assign({}, ...some.filter(() => random() < 0.05));
}

function randomBody(random: () => number): string | Buffer | undefined {
  const kind = random();
  if (kind < 0.15) return undefined;
  if (kind < 0.2)
    return Buffer.from(Array.from({ length: Math.floor(random() * 200) }, () => Math.floor(random() * 256)));
  const count = Math.floor(random() * 5);
  const entries = Array.from({ length: count }, () => [pick(random, properties), pick(random, values)]);
  if (random() < 0.6) entries.push(['name', pick(random, ['x', 'p', '127.0.0.1:80', '/Common/x'])]);
  if (random() < 0.3) entries.push(['command', pick(random, ['run', 'save', 'load'])]);
  if (random() < 0.3)
    entries.push(['utilCmdArgs', pick(random, ['config-sync to-group failover_group', 'standby', '-f x'])]);
  const text = JSON.stringify(Object.fromEntries(entries));
  return kind < 0.3 ? text.slice(0, Math.floor(random() * text.length)) : text;
}

/** What Node refuses to send is escaped; the rest goes as it is. */
function encodeUnsafe(path: string): string {
  return path.replace(/[^\u0021-\u007e]/g, (character) => encodeURIComponent(character));
}

function pick<Item>(random: () => number, from: readonly Item[]): Item {
  return from[Math.floor(random() * from.length)] as Item; // the index is below the length of a list that is not empty
}
