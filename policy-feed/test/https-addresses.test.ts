import type { LookupAddress } from 'node:dns';
import { promisify } from 'node:util';
import { createLogger } from '@edgeward/runtime';
import t from 'tap';
import { addressRefusal } from '../src/https/address-check.ts';
import { pinnedLookup } from '../src/https/pinned-lookup.ts';
import { storeUrlOf } from '../src/https/store-url.ts';
import { createHttpsTransport } from '../src/index.ts';
import { NEVER } from './conformance/hop.ts';
import { thrownBy } from './conformance/patience.ts';
import { openSmallStore } from './fixtures/small-store.ts';

const logger = createLogger({ level: 'silent' });

t.test('addresses of machines may be a store; those that answer for the machine or its cloud may not', async (t) => {
  const machines = [
    '10.0.0.1',
    '172.16.5.4',
    '192.168.1.1',
    '203.0.113.7',
    '100.64.0.1',
    '2001:db8::1',
    'fd12:3456::1',
  ];
  for (const address of [...machines, '::ffff:10.0.0.1', '64:ff9b::a00:1', '2002:a00:1::1'])
    t.equal(addressRefusal(address, { loopback: false }), null, address);
  const never = [
    ...['169.254.169.254', '169.254.0.1', '169.254.170.2', '0.0.0.0', '0.1.2.3', '224.0.0.1', '239.255.255.255'],
    ...['255.255.255.255', '240.0.0.1', '100.100.100.200', '168.63.129.16', '192.0.0.192'],
    ...['::', 'fe80::1', 'febf::1', 'fec0::1', 'ff02::1', 'fd00:ec2::254'],
    ...['::ffff:169.254.169.254', '::ffff:a9fe:a9fe', '::ffff:0.0.0.0', '::ffff:224.0.0.1', '::ffff:100.100.100.200'],
    ...['::169.254.169.254', '64:ff9b::a9fe:a9fe', '64:ff9b::7f00:1', '2002:a9fe:a9fe::1', '2002:7f00:1::'],
    ...['::ffff:0:169.254.169.254', '::7f00:1', 'fe80::1%eth0', '10.0.0.1:443', '010.0.0.1', 'store', ''],
  ];
  for (const address of never)
    for (const loopback of [false, true]) t.type(addressRefusal(address, { loopback }), 'string', address);
  for (const address of ['127.0.0.1', '127.255.0.1', '::1', '::ffff:127.0.0.1', '::ffff:7f00:1']) {
    t.type(addressRefusal(address, { loopback: false }), 'string', address);
    t.equal(addressRefusal(address, { loopback: true }), null, `${address}, said so`);
  }
});

t.test('a URL of a store says plainly where it leads', async (t) => {
  const good = {
    'https://store.example:9443': { origin: 'https://store.example:9443', path: '', loopback: false },
    'https://store.example/': { origin: 'https://store.example', path: '', loopback: false },
    'https://10.0.0.1:9443': { origin: 'https://10.0.0.1:9443', path: '', loopback: false },
    'https://[2001:db8::1]:9443': { origin: 'https://[2001:db8::1]:9443', path: '', loopback: false },
    'https://127.0.0.1:9443': { origin: 'https://127.0.0.1:9443', path: '', loopback: true },
    'https://localhost:9443': { origin: 'https://localhost:9443', path: '', loopback: true },
    'http://127.0.0.1:8080': { origin: 'http://127.0.0.1:8080', path: '', loopback: true },
    'http://[::1]:8080': { origin: 'http://[::1]:8080', path: '', loopback: true },
  };
  for (const [url, expected] of Object.entries(good)) t.strictSame(storeUrlOf(url, 'store'), expected, url);
  const bad = [
    ...['http://store.example', 'http://10.0.0.1', 'http://localhost:8080', 'ftp://store.example', 'file:///srv', ''],
    ...[
      'https://169.254.169.254',
      'https://[fe80::1]',
      'https://[::ffff:169.254.169.254]',
      'https://0.0.0.0',
      'https://[::]',
    ],
    ...[
      'http://[::ffff:127.0.0.1]',
      'https://[::ffff:7f00:1]',
      'https://2130706433',
      'https://0x7f.1',
      'https://0251.0376.0251.0376',
    ],
    ...['https://user:hunter2@store.example', 'https://user@store.example', 'https://store.example?hunter2'],
    ...['https://store.example#hunter2', 'https://store.example/path', 'https:\\\\store.example', 'store.example:9443'],
  ];
  for (const url of bad) {
    const { code, message } = await thrownBy(url, async () => storeUrlOf(url, 'store'));
    t.equal(code, 'EDW_ERR_STORE_URL', url);
    t.notMatch(message, /hunter2/, 'a password is not repeated');
  }
  t.equal(storeUrlOf('https://cdn.example/edgeward/v1/', 'mirror').path, '/edgeward/v1');
});

/** Answers each question with the next of these. */
function resolverOf(...answers: string[][]): { resolver: () => Promise<LookupAddress[]>; asked: () => number } {
  let asked = 0;
  return {
    asked: () => asked,
    async resolver() {
      const found = answers[Math.min(asked, answers.length - 1)] ?? [];
      asked += 1;
      return found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    },
  };
}

t.test('a name is looked up for each connection, and what was checked is what is connected to', async (t) => {
  const rebinding = resolverOf(
    ['203.0.113.7', '169.254.169.254', '127.0.0.1'],
    ['::ffff:169.254.169.254'],
    ['127.0.0.1'],
    [],
  );
  const lookup = promisify(pinnedLookup(rebinding.resolver, { loopback: false }));
  t.strictSame(
    await lookup('store.example', { all: true }),
    [{ address: '203.0.113.7', family: 4 }],
    'the rest is left out',
  );
  for (const what of ['a mapped link-local address', 'loopback', 'nothing'])
    t.equal((await thrownBy(what, () => lookup('store.example', { all: true }))).code, 'EDW_ERR_STORE_URL', what);
  t.equal(rebinding.asked(), 4);
});

t.test('a name that leads to this machine is not connected to, unless the name is localhost', async (t) => {
  const store = await openSmallStore(t);
  const ask = async (host: string, ...answers: string[][]) => {
    const { resolver } = resolverOf(...answers);
    const transport = createHttpsTransport({ url: `https://${host}:${store.port}`, tls: store.tls, logger, resolver });
    t.teardown(() => transport.close());
    return transport.next(store.point, null, { waitMs: 0, signal: NEVER });
  };
  for (const answer of ['127.0.0.1', '::1', '::ffff:127.0.0.1', '0.0.0.0', '169.254.169.254', '::ffff:169.254.169.254'])
    t.equal((await thrownBy(answer, () => ask('store.example', [answer]))).code, 'EDW_ERR_STORE_URL', answer);
  t.strictSame(store.asked, []);
  t.equal((await ask('localhost', ['127.0.0.1'])).state, 'head');
  t.equal(
    (await thrownBy('localhost elsewhere', () => ask('localhost', ['169.254.169.254']))).code,
    'EDW_ERR_STORE_URL',
  );
});
