import { join } from 'node:path';
import { EdgewardError } from '@edgeward/runtime';
import t, { type Test } from 'tap';
import { loadServiceConfig, type ServiceConfig } from '../src/index.ts';

type Input = { env?: Record<string, string>; flags?: Record<string, unknown> };

/** The configuration of this text, in a folder of its own. */
async function load(t: Test, text: string, input: Input = {}): Promise<{ dir: string; config: ServiceConfig }> {
  const dir = t.testdir({ 'edgeward.yaml': text });
  return { dir, config: await loadServiceConfig({ file: join(dir, 'edgeward.yaml'), env: {}, ...input }) };
}

/** What is said about it; the test fails where nothing is. */
async function refusal(t: Test, text: string, input: Input = {}): Promise<EdgewardError> {
  try {
    await load(t, text, input);
  } catch (thrown) {
    if (thrown instanceof EdgewardError) return thrown;
    throw thrown;
  }
  throw new Error(`this was taken: ${text}`);
}

const NO_OBJECTS = { mode: 'on', everyMs: 60_000, objects: {} };

t.test('an empty file is enough, and says nothing but defaults', async (t) => {
  const { dir, config } = await load(t, '');
  t.strictSame(config, {
    policies: join(dir, 'policies'),
    store: null,
    stateDir: '/var/lib/edgeward',
    points: [],
    bigips: [],
    hosts: null,
    api: { host: '127.0.0.1', port: 9400, tokenFile: '/var/lib/edgeward/api-token' },
    metrics: null,
    retainDays: 30,
    retainRollupDays: 400,
    ledger: { kind: 'sqlite', file: '/var/lib/edgeward/ledger.db' },
    sinks: { loki: null, collector: null },
    logLevel: 'info',
  });
});

t.test('a point needs nothing but its name', async (t) => {
  const { dir, config } = await load(t, 'stateDir: state\npoints: { edge-1: {} }\n');
  t.strictSame(config.points, [
    {
      name: 'edge-1',
      push: 'http://127.0.0.1:9180',
      streamPush: null,
      tls: null,
      native: null,
      tokenFile: join(dir, 'state/points/edge-1/push-token'),
      denyLog: join(dir, 'state/points/edge-1/deny.log'),
      lastKnownFile: join(dir, 'state/points/edge-1/last-known'),
      onDrift: 'repair',
      proof: NO_OBJECTS,
    },
  ]);
  t.equal(config.api.tokenFile, join(dir, 'state/api-token'));
});

t.test('relative paths are relative to the file, absolute ones stay', async (t) => {
  const { dir, config } = await load(
    t,
    `policies: ../site
stateDir: /srv/edgeward
points:
  edge-1: { push: "http://localhost:9181/", tokenFile: secrets/push, denyLog: /var/log/nginx/deny.log, lastKnownFile: ./known, onDrift: report }
api: { listen: "127.0.0.1:9500", tokenFile: secrets/api }
denials: { retainDays: 7, retainRollupDays: 90 }
logLevel: debug
`,
  );
  t.strictSame(config, {
    policies: join(dir, '../site'),
    store: null,
    stateDir: '/srv/edgeward',
    points: [
      {
        name: 'edge-1',
        push: 'http://localhost:9181',
        streamPush: null,
        native: null,
        tls: null,
        tokenFile: join(dir, 'secrets/push'),
        denyLog: '/var/log/nginx/deny.log',
        lastKnownFile: join(dir, 'known'),
        onDrift: 'report',
        proof: NO_OBJECTS,
      },
    ],
    bigips: [],
    hosts: null,
    api: { host: '127.0.0.1', port: 9500, tokenFile: join(dir, 'secrets/api') },
    metrics: null,
    retainDays: 7,
    retainRollupDays: 90,
    ledger: { kind: 'sqlite', file: '/srv/edgeward/ledger.db' },
    sinks: { loki: null, collector: null },
    logLevel: 'debug',
  });
});

t.test('how objects of a point are proven is said for each, and paths are relative to the file', async (t) => {
  const proof = `{ everySeconds: 5, objects: { a: { url: "https://10.0.0.1:8443/x", host: shop.example, caFile: tls/ca.pem }, b: { mode: off } } }`;
  const { dir, config } = await load(t, `points: { edge-1: { proof: ${proof} } }\n`);
  t.strictSame(config.points[0]?.proof, {
    mode: 'on',
    everyMs: 5000,
    objects: {
      a: { mode: 'on', url: 'https://10.0.0.1:8443/x', host: 'shop.example', caFile: join(dir, 'tls/ca.pem') },
      b: { mode: 'off', url: null, host: null, caFile: null },
    },
  });
  for (const wrong of [
    'everySeconds: 0',
    'everySeconds: 121',
    'mode: no',
    'objects: { a: { url: "ftp://x" } }',
    'objects: { a: { url: "http://me@x" } }',
    'objects: { a: { url: "http://x/?y" } }',
    'objects: { a: { host: "a b" } }',
    'objects: { "a/b": {} }',
    'url: "http://x"',
  ])
    t.match(await refusal(t, `points: { edge-1: { proof: { ${wrong} } } }\n`), { code: 'EDW_ERR_CONFIG' }, wrong);
});

t.test('a flag goes before the environment, the environment before the file', async (t) => {
  const text = 'logLevel: warn\napi: { listen: "127.0.0.1:1000" }\n';
  const env = {
    EDGEWARD_LOG_LEVEL: 'error',
    EDGEWARD_API__LISTEN: '127.0.0.1:2000',
    EDGEWARD_DENIALS__RETAIN_DAYS: '3',
  };
  const { config } = await load(t, text, { env, flags: { logLevel: 'debug', stateDir: undefined } });
  t.match(config, { logLevel: 'debug', api: { port: 2000 }, retainDays: 3, stateDir: '/var/lib/edgeward' });
});

t.test("other programs' variables, and those of Edgeward's own tests, are no configuration", async (t) => {
  const env = {
    PATH: '/bin',
    EDGEWARD_CACHE: '/tmp',
    EDGEWARD_RUNS: '9',
    EDGEWARD_SEED: '5',
    EDGEWARD_TEST_FETCH: '1',
  };
  t.ok(await load(t, '', { env }));
});

t.test('all problems are told at once, each with its path', async (t) => {
  const { code, message, mend } = await refusal(
    t,
    `policy: here
points: { "bad name": {}, edge-1: { push: "http://10.0.0.1:9180", tokenfile: x, onDrift: ignore } }
api: { listen: "0.0.0.0:9400" }
denials: { retainDays: 0 }
`,
    { env: { EDGEWARD_LOG_LEVEL: 'loud', EDGEWARD_LOGLEVEL: 'info' }, flags: { verbose: true } },
  );
  t.equal(code, 'EDW_ERR_CONFIG');
  t.match(mend, /docs\/configuration\.md/);
  for (const path of [
    'policy',
    'points.bad name',
    'points.edge-1.push',
    'points.edge-1.tokenfile',
    'points.edge-1.onDrift',
    'api.listen',
    'denials.retainDays',
    'EDGEWARD_LOG_LEVEL',
    'EDGEWARD_LOGLEVEL',
    'verbose',
  ])
    t.ok(message.includes(path), `${path} is named in: ${message}`);
});

t.test('nothing that leaves this machine is listened on or pushed to', async (t) => {
  for (const listen of [
    '0.0.0.0:9400',
    '10.0.0.1:9400',
    '[::]:9400',
    'example.com:9400',
    '127.0.0.1',
    '127.0.0.1.example.com:80',
    '127.0.0.1:99999',
    '127.0.0.999:80',
  ])
    t.match(
      await refusal(t, `api: { listen: "${listen}" }`),
      { code: 'EDW_ERR_CONFIG', message: /api\.listen/ },
      listen,
    );
  for (const push of [
    'http://10.0.0.1:9180',
    'https://127.0.0.1:9180',
    'http://example.com',
    'http://127.0.0.1.example.com',
    'http://0.0.0.0',
    'unix:/run/x',
    'http://user@10.0.0.1',
  ])
    t.match(
      await refusal(t, `points: { edge-1: { push: "${push}" } }`),
      { code: 'EDW_ERR_CONFIG', message: /push/ },
      push,
    );
  for (const listen of ['127.0.0.1:1', '127.8.9.1:65535', 'localhost:9400', '[::1]:9400'])
    t.ok(await load(t, `api: { listen: "${listen}" }`), listen);
  for (const push of ['http://127.0.0.2:9180', 'http://localhost:80/', 'http://[::1]:9180'])
    t.ok(await load(t, `points: { edge-1: { push: "${push}" } }`), push);
});

t.test('beyond loopback a push needs https, and https all that mutual TLS needs', async (t) => {
  const files = 'caFile: ca.pem, certFile: /tls/cert.pem, keyFile: key.pem';
  const { dir, config } = await load(t, `points: { edge-1: { push: "https://nginx:9180/", ${files} } }`);
  t.match(config.points, [
    {
      push: 'https://nginx:9180',
      tls: { caFile: join(dir, 'ca.pem'), certFile: '/tls/cert.pem', keyFile: join(dir, 'key.pem') },
    },
  ]);
  const refused: [point: string, paths: string[]][] = [
    ['push: "https://nginx:9180", certFile: a', ['caFile', 'keyFile']],
    ['push: "https://nginx:9180"', ['caFile', 'certFile', 'keyFile']],
    ['caFile: a, keyFile: b', ['caFile', 'keyFile']],
    [`push: "https://user:secret@nginx", ${files}`, ['push']],
    [`push: "https://nginx/edge-1", ${files}`, ['push']],
    [`push: "http://nginx:9180", ${files}`, ['push']],
  ];
  for (const [point, paths] of refused) {
    const { code, message } = await refusal(t, `points: { edge-1: { ${point} } }`);
    t.equal(code, 'EDW_ERR_CONFIG', point);
    for (const path of paths) t.ok(message.includes(`points.edge-1.${path}`), `${path} in ${message}`);
  }
});

t.test('the stream module is pushed to as http is: plain on loopback, by mutual TLS anywhere else', async (t) => {
  const files = 'caFile: ca.pem, certFile: cert.pem, keyFile: key.pem';
  const taken: [point: string, streamPush: string | null][] = [
    ['', null],
    ['streamPush: "tcp://127.0.0.1:9181"', 'tcp://127.0.0.1:9181'],
    ['streamPush: "tcp://[::1]:9181/"', 'tcp://[::1]:9181'],
    [`push: "https://nginx:9180", streamPush: "tls://nginx:9181", ${files}`, 'tls://nginx:9181'],
  ];
  for (const [point, streamPush] of taken)
    t.match((await load(t, `points: { edge-1: { ${point} } }`)).config.points, [{ streamPush }], point);
  for (const point of [
    'streamPush: "tcp://10.0.0.1:9181"',
    'streamPush: "tcp://127.0.0.1.example.com:9181"',
    'streamPush: "tcp://127.0.0.999:9181"',
    'streamPush: "tcp://127.0.0.1"',
    'streamPush: "tcp://127.0.0.1:0x50"',
    'streamPush: "tcp://user@127.0.0.1:9181"',
    'streamPush: "tcp://127.0.0.1:9181/edge"',
    'streamPush: "http://127.0.0.1:9181"',
    'streamPush: "127.0.0.1:9181"',
    'streamPush: "tls://127.0.0.1:9181"',
    `push: "https://nginx:9180", streamPush: "tcp://127.0.0.1:9181", ${files}`,
  ])
    t.match(
      await refusal(t, `points: { edge-1: { ${point} } }`),
      { code: 'EDW_ERR_CONFIG', message: /points\.edge-1\.streamPush/ },
      point,
    );
});

t.test('metrics are read from elsewhere over mutual TLS alone', async (t) => {
  const tls = 'tls: { certFile: a.pem, keyFile: b.pem, clientCaFile: /c.pem }';
  const { dir, config } = await load(t, `metrics: { listen: "0.0.0.0:9401", ${tls} }`);
  const files = { certFile: join(dir, 'a.pem'), keyFile: join(dir, 'b.pem'), clientCaFile: '/c.pem' };
  t.strictSame(config.metrics, { host: '0.0.0.0', port: 9401, tls: files });
  t.strictSame((await load(t, 'metrics: { listen: "[::1]:9401" }')).config.metrics, {
    host: '::1',
    port: 9401,
    tls: null,
  });
  for (const listen of ['0.0.0.0:9401', '[::]:9401', '10.0.0.1:9401', 'example.com:9401', '9401'])
    t.match(await refusal(t, `metrics: { listen: "${listen}" }`), { message: /metrics\.listen/ }, listen);
});

t.test('the address of IPv6 is listened on without its brackets', async (t) => {
  const { config } = await load(t, 'api: { listen: "[::1]:9400" }');
  t.strictSame([config.api.host, config.api.port], ['::1', 9400]);
});

t.test('two points cannot share a push address or a file that only one of them writes', async (t) => {
  const twice = (key: string, value: string) =>
    refusal(
      t,
      `points: { edge-1: { push: "http://127.0.0.1:1", ${key}: "${value}" }, edge-2: { push: "http://127.0.0.1:2", ${key}: "${value}" } }`,
    );
  for (const [key, value] of [
    ['denyLog', 'deny.log'],
    ['lastKnownFile', 'known'],
  ])
    t.match(await twice(key ?? '', value ?? ''), { code: 'EDW_ERR_CONFIG', message: new RegExp(`edge-2.*${key}`) });
  t.match(await refusal(t, 'points: { edge-1: {}, edge-2: {} }'), { code: 'EDW_ERR_CONFIG', message: /edge-2.*push/ });
});

t.test('a file that is no configuration is refused with all that is wrong in it', async (t) => {
  const twice = await refusal(t, 'logLevel: info\nlogLevel: warn\npolicies: a\npolicies: b\n');
  t.match(twice, { code: 'EDW_ERR_CONFIG', message: /logLevel[\s\S]*policies/ });
  t.match(twice.message, /edgeward\.yaml:2:/);
  t.match(await refusal(t, 'points: [\n'), { code: 'EDW_ERR_CONFIG' });
  t.match(await refusal(t, '- a list\n'), { code: 'EDW_ERR_CONFIG' });
  t.match(await refusal(t, 'logLevel: info\n---\nlogLevel: warn\n'), {
    code: 'EDW_ERR_CONFIG',
    message: /more than one/,
  });
});

t.test('no file to read is a coded error that names the places', async (t) => {
  const dir = t.testdir({});
  const missing = { code: 'EDW_ERR_CONFIG_FILE', message: /nowhere\.yaml/, mend: /--config/ };
  await t.rejects(loadServiceConfig({ file: join(dir, 'nowhere.yaml') }), missing);
  await t.rejects(loadServiceConfig({ file: dir }), { code: 'EDW_ERR_CONFIG_FILE' });
});

t.test('addresses of BIG-IPs are bare, and no two points share one', async (t) => {
  const one = (urls: string): string => `bigips: { dc1: { urls: [${urls}], user: edgeward } }`;
  const refused = [
    ['a user in it', '"https://admin:secret@bigip-a.example"'],
    ['a path', '"https://bigip-a.example/mgmt"'],
    ['a query', '"https://bigip-a.example/?x=1"'],
    ['no TLS', '"http://bigip-a.example"'],
    ['one unit twice', '"https://bigip-a.example", "https://BIGIP-A.example:443/"'],
  ] as const;
  for (const [name, urls] of refused) {
    const { code, message } = await refusal(t, one(urls));
    t.equal(code, 'EDW_ERR_CONFIG', name);
    t.match(message, /bigips\.dc1\.urls/, name);
    t.notMatch(message, /secret/, `${name}: a password is not repeated`);
  }
  const { config } = await load(t, one('"https://bigip-a.example/", "https://bigip-b.example:8443"'));
  t.strictSame(config.bigips[0]?.urls, ['https://bigip-a.example', 'https://bigip-b.example:8443']);

  const shared = await refusal(
    t,
    `bigips:
  dc1: { urls: ["https://bigip-a.example", "https://bigip-b.example"], user: edgeward }
  dc2: { urls: ["https://bigip-b.example:443/"], user: edgeward }
`,
  );
  t.match(shared, { code: 'EDW_ERR_CONFIG', message: /bigips\.dc2\.urls\[0\].*dc1 has the same address/ });
});

t.test('hosts: an address and names to be reached under, and the hosts that are let in', async (t) => {
  const text = 'stateDir: state\nhosts: { names: [edgeward.example, "2001:db8::7"], points: { host-1: {} } }\n';
  const { dir, config } = await load(t, text);
  t.strictSame(config.hosts, {
    listen: { host: '0.0.0.0', port: 7443 },
    names: ['edgeward.example', '2001:db8::7'],
    enrolListen: null,
    denialsPerSecond: 1_000,
    folder: join(dir, 'state/hosts'),
    points: [{ name: 'host-1', onDrift: 'report' }],
  });
  const listening = await load(t, 'hosts: { names: [a], listen: "[::1]:0", enrolListen: "127.0.0.1:7444" }\n');
  t.match(listening.config.hosts, { listen: { host: '::1', port: 0 }, enrolListen: { host: '127.0.0.1', port: 7444 } });
  for (const [name, yaml, path] of [
    ['no name', 'hosts: { names: [] }', 'hosts.names'],
    ['names left out', 'hosts: {}', 'hosts.names'],
    ['a name with a port', 'hosts: { names: ["a:1"] }', 'hosts.names'],
    ['an address without a port', 'hosts: { names: [a], listen: 0.0.0.0 }', 'hosts.listen'],
    [
      'another reaction',
      'hosts: { names: [a], points: { host-1: { onDrift: repair } } }',
      'hosts.points.host-1.onDrift',
    ],
    ['less than one batch of denials', 'hosts: { names: [a], denialsPerSecond: 49 }', 'hosts.denialsPerSecond'],
    ['a host that is an NGINX', 'points: { x: {} }\nhosts: { names: [a], points: { x: {} } }', 'hosts.points.x'],
  ] as const)
    t.match((await refusal(t, `${yaml}\n`)).message, path, name);
});
