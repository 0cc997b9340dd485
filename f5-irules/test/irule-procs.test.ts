import { requireTclsh } from '@edgeward/test/kit';
import fc from 'fast-check';
import t from 'tap';
import { formatAddress, parseAddress } from '../../policy/src/address.ts';
import { plainRequest } from '../../policy/src/request.ts';
import { search } from '../../policy/test/runs.ts';
import { plainWord } from '../driver/layout/plain-word.ts';
import { startProcs } from './fixtures/tclsh-procs.ts';

const tclsh = await requireTclsh(t);

/** UTF-8 bytes, one character each. */
const bytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/** A host keeps what is beyond ASCII: no policy has such a host. */
const plainAscii = (text: string): string => bytes(text.replace(/[\x20-\x7e]+/g, (ascii) => plainWord(ascii)));

const tclList = (words: string[]): string => words.map((word) => `{${word}}`).join(' ');

/** Pieces that tricks are made of. */
const piece = fc.oneof(
  fc.constantFrom('/', '/', '//', '.', '..', '/../', '/./', '/.;', '/..;x', ';', '%2e', '%2E%2e', '%2f', '%5c', '\\'),
  fc.constantFrom('%', '%2', '%zz', '%00', '%0a', '%7f', '%25', '%2541', '%25%34%31', '%c3%a9', '%C3', '%a9', '%ff'),
  fc.constantFrom('%e0%80%80', '%ed%a0%80', '%f4%90%80%80', '%f0%9f%98%80', '%e2%82%ac', '%ef%bf%be', '%c0%af'),
  fc.constantFrom(
    '?',
    '?x=%zz',
    '#',
    'a',
    'B',
    'v1',
    'orders',
    'é',
    '€',
    '\u0085',
    ' ',
    '"',
    '[x]',
    '$a',
    '{',
    '}',
    '*',
    '~',
  ),
  fc.constantFrom(
    '@',
    ':',
    '&',
    '+',
    ',',
    '=',
    "'",
    '(',
    ')',
    '!',
    '|',
    '^',
    '`',
    '<',
    '>',
    '-',
    '_',
    '%20',
    '%22',
    '%5B',
  ),
);
const arbitraryTarget = fc.oneof(
  { weight: 8, arbitrary: fc.array(piece, { maxLength: 8 }).map((pieces) => `/${pieces.join('')}`) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        fc.constantFrom('http://', 'HTTPS://', 'x-1+.://', '://', 'http:/'),
        fc.constantFrom('shop.example', 'SHOP.example:80', 'a@b', '', '[::1]:8', 'shop.example.'),
        fc.array(piece, { maxLength: 4 }),
      )
      .map(([scheme, authority, pieces]) => `${scheme}${authority}${pieces.join('')}`),
  },
  fc.array(piece, { maxLength: 4 }).map((pieces) => pieces.join('')),
);
const arbitraryHosts = fc.array(
  fc.constantFrom(
    'shop.example',
    'SHOP.EXAMPLE',
    'shop.example:8443',
    'shop.example.',
    'other',
    '',
    ':80',
    '[::1]:80',
    '.',
  ),
  { maxLength: 2 },
);

t.test('a request has the plain form that the core gives it', async (t) => {
  const procs = await startProcs(t.testdir(), tclsh);
  t.teardown(() => procs.close());
  const runs = search(t, 3000);
  let judged = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('GET', 'CONNECT', 'get'),
      arbitraryTarget,
      arbitraryHosts,
      async (method, target, hosts) => {
        const wanted = plainRequest(method, target, hosts);
        const found = await procs.call('eg_request', method, bytes(target), tclList(hosts.map(bytes)));
        if (wanted !== null) judged += 1;
        const expected = wanted === null ? ['', ''] : [plainWord(wanted.path), plainAscii(wanted.host ?? '')];
        const normal = [await procs.call('lindex', found, '0'), await procs.call('lindex', found, '1')];
        if (String(normal) !== String(expected))
          throw new Error(`${method} ${target} ${hosts}: ${normal}, wanted ${expected}`);
      },
    ),
    runs,
  );
  t.ok(judged > runs.numRuns / 10, 'and many of them could be judged, or this proves little');
});

t.test('an entry of X-Forwarded-For is the address that the core reads', async (t) => {
  const procs = await startProcs(t.testdir(), tclsh);
  t.teardown(() => procs.close());
  const group = fc.constantFrom('0', '1', 'ffff', 'FFFF', '2001', 'db8', '00a', '0', '10000', 'g', '', '0000');
  const text = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.array(group, { maxLength: 9 }).map((groups) => groups.join(':')),
    fc
      .tuple(fc.array(group, { maxLength: 4 }), fc.array(group, { maxLength: 4 }))
      .map(([a, b]) => `${a.join(':')}::${b.join(':')}`),
    fc
      .tuple(fc.constantFrom('::ffff:', '::', '0:0:0:0:0:ffff:', '64:ff9b::', '::ffff:0:'), fc.ipV4())
      .map(([a, b]) => a + b),
    fc.constantFrom(
      '01.2.3.4',
      '256.1.1.1',
      '1.2.3',
      '1.2.3.4.5',
      '1.2.3.4%1',
      ' 1.2.3.4 ',
      '1.2.3.4:80',
      '[::1]',
      '-1.2.3.4',
      'unknown',
      '',
      '::',
      ':',
      ':::',
      '1::2::3',
    ),
  );
  await fc.assert(
    fc.asyncProperty(text, async (text) => {
      const key = parseAddress(text.trim());
      const found = await procs.call('eg_address', text);
      const again = found === '' ? null : parseAddress(found);
      if (again !== key) throw new Error(`${text}: ${found}, wanted ${key === null ? 'none' : formatAddress(key)}`);
      if (key?.length === 8 && found.includes(':')) throw new Error(`${text}: a mapped address is the IPv4 one`);
    }),
    search(t, 3000),
  );
});

t.test('what a client sent is one plain JSON string', async (t) => {
  const procs = await startProcs(t.testdir(), tclsh);
  t.teardown(() => procs.close());
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async (raw) => {
      const text = Buffer.from(raw).toString('latin1');
      const found = await procs.call('eg_quoted', text, '1024');
      const value: unknown = JSON.parse(found);
      if (text === '' ? value !== null : typeof value !== 'string' || !/^[ -~]+$/.test(value)) throw new Error(found);
    }),
    search(t, 1000),
  );
});
