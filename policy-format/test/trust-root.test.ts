import { randomInt } from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
import t from 'tap';
import {
  digestOfPayload,
  digestOfRoot,
  generateSigningKey,
  keyIdOf,
  type Person,
  type SignedDocument,
  signingKeyOf,
  type TrustRoot,
  trustRootOf,
  verifyFirstRoot,
  verifyNextRoot,
} from '../src/index.ts';
import { isWeakKey } from '../src/key-strength.ts';
import { signedBy, trustWorld } from './trust-world.ts';

const world = await trustWorld();
const { root } = world;
const next: TrustRoot = { ...root, version: 2, previous: digestOfRoot(root), issuedAt: '2026-11-20T00:00:00.000Z' };

const code = (thrown: unknown): string => (thrown as { code?: string }).code ?? String(thrown);
const codeOf = (attempt: () => unknown): string => {
  try {
    attempt();
    return 'accepted';
  } catch (thrown) {
    return code(thrown);
  }
};
const mendOf = (attempt: () => unknown): string | undefined => {
  try {
    attempt();
    return undefined;
  } catch (thrown) {
    return (thrown as { mend?: string }).mend;
  }
};
const codeOfNext = async (document: unknown, current = root): Promise<string> =>
  verifyNextRoot(current, document).then(() => 'accepted', code);

const people = (change: (person: Person) => Person): Person[] => root.people.map((person) => change({ ...person }));
const only = (...names: string[]): Person[] => root.people.filter(({ name }) => names.includes(name));
const person = (name: string, changes: Partial<Person>): Person[] =>
  people((it) => (it.name === name ? { ...it, ...changes } : it));
const spare = await generateSigningKey();
/** The point that is its own sum with every other one: 1, and 31 bytes of nothing. */
const neutral = Buffer.concat([Buffer.of(1), Buffer.alloc(31)]).toString('base64url');
const keyOf = (x: string): { kid: string; x: string } => ({ kid: keyIdOf(x), x });
const thresholds = (changes: Partial<TrustRoot['thresholds']>): Record<string, unknown> => ({
  thresholds: { ...root.thresholds, ...changes },
});
const [storeKey = spare.publicKey] = root.storeKeys;
const [logKey = spare.publicKey] = root.logKeys;
/** The last of 43 characters carries two bits that are no part of the key. */
const otherSpelling = (x: string): string => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return x.slice(0, -1) + (alphabet[alphabet.indexOf(x.slice(-1)) + 1] ?? '');
};

const form: Record<string, Record<string, unknown>> = {
  'another typ': { typ: 'edgeward-approval/1' },
  'a key that nobody knows': { expires: '2027-01-01T00:00:00.000Z' },
  'a store that is no id': { store: 'prod' },
  'version 0': { version: 0 },
  'a version that is not safe': { version: 2 ** 53 },
  'a negative epoch': { epoch: -1 },
  'version 1 after another': { previous: 'a'.repeat(64) },
  'version 2 after none': { version: 2 },
  'a previous that is a path': { version: 2, previous: `../${'a'.repeat(61)}` },
  'a time in words': { issuedAt: 'yesterday' },
  'a person whose name is a path': { people: person('ana', { name: '../ana' }) },
  'a person whose name is a list': { people: person('ana', { name: 'ana,ben' }) },
  'a person whose name ends a line': { people: person('ana', { name: 'ana\n' }) },
  'a name of 64 characters': { people: person('ana', { name: 'a'.repeat(64) }) },
  'a role that nobody knows': { people: person('ana', { roles: ['author', 'root' as 'author'] }) },
  'a role twice': { people: person('ana', { roles: ['author', 'author'] }) },
  '17 keys of one person': { people: person('ana', { keys: Array.from({ length: 17 }, () => spare.publicKey) }) },
  'a key id that is short': { people: person('ana', { keys: [{ ...spare.publicKey, kid: 'x' }] }) },
  'a key that is short': { people: person('ana', { keys: [{ ...spare.publicKey, x: 'AAAA' }] }) },
  'a key of another spelling': { people: person('ana', { keys: [keyOf(otherSpelling(spare.publicKey.x))] }) },
  'a private key': { people: person('ana', { keys: [{ ...spare.publicKey, d: 'A' } as typeof spare.publicKey] }) },
  'no approver needed': thresholds({ normal: 0, elevated: 0 }),
  'no approver needed with a risk': thresholds({ elevated: 0 }),
  'fewer with a risk than without': thresholds({ normal: 2, elevated: 1 }),
  'nobody needed for the trust root': thresholds({ root: 0 }),
  'break-glass for five hours': thresholds({ breakGlassHours: 5 }),
  'break-glass for less than none': thresholds({ breakGlassHours: -1 }),
  'break-glass for half an hour': thresholds({ breakGlassHours: 0.5 }),
  'a threshold in text': thresholds({ normal: '1' as unknown as number }),
  'no store key': { storeKeys: [] },
  'no log key': { logKeys: [] },
  'people that are no list': { people: { ana: {} } },
};

const sane: Record<string, [string, Record<string, unknown>]> = {
  'one name for two people': ['EDW_ERR_ROOT_PEOPLE', { people: [...root.people, ...only('viv')] }],
  'the id of another key': [
    'EDW_ERR_ROOT_KEY_ID',
    { people: person('viv', { keys: [{ kid: keyOf(storeKey.x).kid, x: spare.publicKey.x }] }) },
  ],
  'an id that is made up': ['EDW_ERR_ROOT_KEY_ID', { storeKeys: [{ ...storeKey, kid: 'AAAAAAAAAAAAAAAA' }] }],
  'a key of two people': ['EDW_ERR_ROOT_KEY_SHARED', { people: person('viv', { keys: only('ben')[0]?.keys ?? [] }) }],
  'a key twice of one person': [
    'EDW_ERR_ROOT_KEY_SHARED',
    { people: person('viv', { keys: [spare.publicKey, spare.publicKey] }) },
  ],
  'a store key that is a person’s': ['EDW_ERR_ROOT_KEY_SHARED', { storeKeys: only('ben')[0]?.keys ?? [] }],
  'a log key that is a person’s': ['EDW_ERR_ROOT_KEY_SHARED', { logKeys: only('viv')[0]?.keys ?? [] }],
  'a log key that signs heads': ['EDW_ERR_ROOT_KEY_SHARED', { logKeys: [storeKey] }],
  'a store key twice': ['EDW_ERR_ROOT_KEY_SHARED', { storeKeys: [storeKey, storeKey] }],
  'a key with which anybody can sign': ['EDW_ERR_ROOT_KEY_WEAK', { people: person('viv', { keys: [keyOf(neutral)] }) }],
  'a store key with which anybody can sign': ['EDW_ERR_ROOT_KEY_WEAK', { storeKeys: [keyOf(neutral)] }],
  'nobody at all': ['EDW_ERR_ROOT_THRESHOLDS', { people: [] }],
  'no author': ['EDW_ERR_ROOT_THRESHOLDS', { people: only('ben', 'dora', 'viv') }],
  'an author without a key': ['EDW_ERR_ROOT_THRESHOLDS', { people: [...only('ben', 'dora'), bare('ana')] }],
  'too few approvers for a risk': ['EDW_ERR_ROOT_THRESHOLDS', thresholds({ elevated: 4 })],
  'too few but for the proposer': [
    'EDW_ERR_ROOT_THRESHOLDS',
    { people: only('cleo', 'ben'), ...thresholds({ elevated: 2 }) },
  ],
  'an approver without a key': ['EDW_ERR_ROOT_THRESHOLDS', { people: [...only('ana', 'ben'), bare('cleo')] }],
  'too few approvers for the trust root': ['EDW_ERR_ROOT_THRESHOLDS', thresholds({ root: 4 })],
};

function bare(name: string): Person {
  return { name, roles: ['author', 'approver'], keys: [] };
}

t.test('a trust root has one form', async (t) => {
  for (const [name, change] of Object.entries(form))
    t.equal(
      codeOf(() => trustRootOf({ ...root, ...change })),
      'EDW_ERR_FORMAT_ROOT',
      name,
    );
  for (const key of Object.keys(root)) {
    const value: Record<string, unknown> = { ...root };
    delete value[key];
    t.equal(
      codeOf(() => trustRootOf(value)),
      'EDW_ERR_FORMAT_ROOT',
      `without ${key}`,
    );
  }
  for (const value of [null, [], 'x', 1, undefined])
    t.equal(
      codeOf(() => trustRootOf(value)),
      'EDW_ERR_FORMAT_ROOT',
    );
});

t.test('a trust root that nobody could work with, or that believes the wrong people, is refused', async (t) => {
  for (const [name, [expected, change]] of Object.entries(sane))
    t.equal(
      codeOf(() => trustRootOf({ ...root, ...change })),
      expected,
      name,
    );
});

t.test('a trust root that reaches its thresholds just so is good', async (t) => {
  const pair = { people: only('cleo', 'ben'), ...thresholds({ elevated: 1, root: 2 }) };
  for (const change of [{}, pair, thresholds({ elevated: 3, root: 3 }), thresholds({ breakGlassHours: 4 })])
    t.equal(
      codeOf(() => trustRootOf({ ...root, ...change })),
      'accepted',
    );
});

t.test('a message about a bad trust root says what to do', async (t) => {
  for (const change of [...Object.values(form), ...Object.values(sane).map(([, it]) => it)])
    t.match(
      mendOf(() => trustRootOf({ ...root, ...change })),
      /^(Correct|Name|Write|Give|Make|Lower) /,
    );
});

t.test('the pinned trust root is believed as a file, of any version, signed or not', async (t) => {
  t.strictSame(verifyFirstRoot(await signedBy(world, root, [])), root);
  t.strictSame(verifyFirstRoot(await signedBy(world, next, ['stranger'])), next);
  t.equal(
    codeOf(() => verifyFirstRoot(root)),
    'EDW_ERR_FORMAT_SIGNED',
  );
  const huge = { payload: Buffer.from(`"${'x'.repeat(300_000)}"`).toString('base64url'), signatures: [] };
  t.equal(
    codeOf(() => verifyFirstRoot(huge)),
    'EDW_ERR_FORMAT_TOO_LARGE',
  );
});

t.test('the digest of a version is that of what was signed', async (t) => {
  t.equal(digestOfRoot(root), digestOfPayload(await signedBy(world, root, ['ben'])));
});

const gone = only('ana', 'ben', 'cleo');
const erin = await generateSigningKey();
const frank = await generateSigningKey();
world.keys.erin = erin;
world.keys.frank = frank;
const taken: TrustRoot = {
  ...next,
  people: [
    ...only('ana'),
    { name: 'erin', roles: ['approver'], keys: [erin.publicKey] },
    { name: 'frank', roles: ['approver'], keys: [frank.publicKey] },
  ],
};

const chain: Record<string, [expected: string, document: TrustRoot, by: string[]]> = {
  'two approvers of both': ['accepted', next, ['ben', 'dora']],
  'signatures of strangers beside them': ['accepted', next, ['stranger', 'viv', 'store', 'cleo2', 'ben']],
  'a higher epoch': ['accepted', { ...next, epoch: 9 }, ['ben', 'dora']],
  'one who leaves signs that he does': ['EDW_ERR_ROOT_NEW_APPROVERS', { ...next, people: gone }, ['ben', 'dora']],
  'one who leaves signs it with the others': ['accepted', { ...next, people: gone }, ['ben', 'cleo', 'dora']],
  nobody: ['EDW_ERR_ROOT_OLD_APPROVERS', next, []],
  'one approver': ['EDW_ERR_ROOT_OLD_APPROVERS', next, ['ben']],
  'two keys of one approver': ['EDW_ERR_ROOT_OLD_APPROVERS', next, ['cleo', 'cleo2']],
  'an author and an approver': ['EDW_ERR_ROOT_OLD_APPROVERS', next, ['ana', 'ben']],
  'the keys of the store': ['EDW_ERR_ROOT_OLD_APPROVERS', next, ['store', 'log', 'viv']],
  'new people by themselves': ['EDW_ERR_ROOT_OLD_APPROVERS', taken, ['erin', 'frank']],
  'new people whom nobody new signed': ['EDW_ERR_ROOT_NEW_APPROVERS', taken, ['ben', 'dora']],
  'new people, signed by old and new': ['accepted', taken, ['ben', 'dora', 'erin', 'frank']],
  'a threshold that is lowered by fewer than before': [
    'EDW_ERR_ROOT_OLD_APPROVERS',
    { ...next, thresholds: { ...next.thresholds, root: 1 } },
    ['ben'],
  ],
  'a threshold that is raised by fewer than from now on': [
    'EDW_ERR_ROOT_NEW_APPROVERS',
    { ...next, thresholds: { ...next.thresholds, root: 3 } },
    ['ben', 'dora'],
  ],
  'another store': ['EDW_ERR_ROOT_STORE', { ...next, store: 'f'.repeat(32) }, ['ben', 'dora']],
  'the same version again': ['EDW_ERR_ROOT_VERSION', root, ['ben', 'dora']],
  'a version left out': ['EDW_ERR_ROOT_VERSION', { ...next, version: 3 }, ['ben', 'dora']],
  'another history': ['EDW_ERR_ROOT_PREVIOUS', { ...next, previous: 'a'.repeat(64) }, ['ben', 'dora']],
  'a lower epoch': ['EDW_ERR_ROOT_EPOCH', { ...next, epoch: 0 }, ['ben', 'dora']],
  'thresholds out of reach': [
    'EDW_ERR_ROOT_THRESHOLDS',
    { ...next, thresholds: { ...next.thresholds, elevated: 9 } },
    ['ben', 'dora'],
  ],
  'no form': ['EDW_ERR_FORMAT_ROOT', { ...next, storeKeys: [] }, ['ben', 'dora']],
};

t.test('the next trust root follows the one in force, signed by enough approvers of both', async (t) => {
  for (const [name, [expected, value, by]] of Object.entries(chain))
    t.equal(await codeOfNext(await signedBy(world, value, by)), expected, name);
});

t.test('a version is followed from version to version, and never backwards', async (t) => {
  const third: TrustRoot = { ...next, version: 3, epoch: 2, previous: digestOfRoot(next) };
  const two = await verifyNextRoot(root, await signedBy(world, next, ['ben', 'cleo']));
  const three = await verifyNextRoot(two, await signedBy(world, third, ['ben', 'cleo']));
  t.strictSame(three, third);
  t.equal(await codeOfNext(await signedBy(world, next, ['ben', 'cleo']), three), 'EDW_ERR_ROOT_VERSION');
});

t.test('any set of signers carries a trust root over if and only if both versions have enough of them', async (t) => {
  const value = { ...taken, people: [...taken.people, ...only('ben')] };
  const names = ['ana', 'ben', 'cleo', 'cleo2', 'dora', 'erin', 'frank'];
  const whole = await signedBy(world, value, names);
  const wrong: string[] = [];
  for (let bits = 0; bits < 2 ** names.length; bits += 1) {
    const subset = names.filter((_, at) => (bits >> at) & 1);
    const signatures = whole.signatures.filter((_, at) => (bits >> at) & 1);
    const signed = new Set(subset.map((name) => name.replace('2', '')));
    const among = (list: string[]): boolean => list.filter((name) => signed.has(name)).length >= 2;
    const expected = among(['ben', 'cleo', 'dora']) && among(['ben', 'erin', 'frank']);
    const got = await codeOfNext({ payload: whole.payload, signatures });
    if ((got === 'accepted') !== expected) wrong.push(`${subset}: ${got}`);
  }
  t.strictSame(wrong, []);
});

t.test('a document with any bit flipped is another one', async (t) => {
  const good = await signedBy(world, next, ['ben', 'dora']);
  for (let run = 0; run < 60; run += 1) {
    const bytes = Buffer.from(good.payload, 'base64url');
    const at = randomInt(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << randomInt(8));
    const document: SignedDocument = { ...good, payload: bytes.toString('base64url') };
    t.not(await codeOfNext(document), 'accepted', `byte ${at}`);
  }
});

t.test('the id of a key is the beginning of its JWK thumbprint', async (t) => {
  for (let run = 0; run < 5; run += 1) {
    const { kid, publicKey } = await generateSigningKey();
    t.equal(kid, (await calculateJwkThumbprint({ kty: 'OKP', crv: 'Ed25519', x: publicKey.x })).slice(0, 16));
  }
});

t.test('a private key whose public part is another’s is no key', async (t) => {
  const mixed = { ...spare.jwk, x: storeKey.x };
  await t.rejects(signingKeyOf(mixed), { code: 'EDW_ERR_KEY' });
  for (const jwk of [{}, { ...spare.jwk, kty: 'EC' }, { ...spare.jwk, d: 'AAAA' }, { ...spare.publicKey }])
    await t.rejects(signingKeyOf(jwk), { code: 'EDW_ERR_KEY' });
  t.strictSame(await signingKeyOf({ ...spare.jwk, use: 'sig' }), spare, 'other members of the file are left out');
});

/** Of edwards25519: p, d, and doubling in affine coordinates. */
const P = 2n ** 255n - 19n;
const mod = (n: bigint): bigint => ((n % P) + P) % P;
const power = (base: bigint, exponent: bigint): bigint => {
  let result = 1n;
  for (let b = mod(base), e = exponent; e > 0n; e >>= 1n, b = mod(b * b)) if (e & 1n) result = mod(result * b);
  return result;
};
const inverse = (n: bigint): bigint => power(n, P - 2n);
const D = mod(-121665n * inverse(121666n));

/** Whether eight times the point of this y is the neutral point; x squared is all of x that doubling needs. */
function hasSmallOrder(y: bigint): boolean {
  let yy = mod(y * y);
  let xx = mod((yy - 1n) * inverse(mod(D * yy + 1n)));
  let at = mod(y);
  for (let doubled = 0; doubled < 3; doubled += 1) {
    const product = mod(D * xx * yy);
    const doubledY = mod((yy + xx) * inverse(mod(1n - product)));
    const doubledXx = mod(4n * xx * yy * power(inverse(mod(1n + product)), 2n));
    at = doubledY;
    xx = doubledXx;
    yy = mod(at * at);
  }
  return at === 1n;
}

t.test('keys with which anybody can sign are known, and no other is', async (t) => {
  const weak = [
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000000',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  ];
  const yOf = (hex: string): bigint => BigInt(`0x${Buffer.from(hex, 'hex').reverse().toString('hex')}`);
  for (const hex of weak) {
    const other = Buffer.from(hex, 'hex');
    t.ok(hasSmallOrder(yOf(hex)), `${hex}: its order divides eight`);
    t.ok(isWeakKey(other.toString('base64url')), `${hex} is refused`);
    other[31] = (other[31] ?? 0) | 0x80;
    t.ok(isWeakKey(other.toString('base64url')), `${hex} with the other sign is refused`);
  }
  for (const { x } of [storeKey, logKey, spare.publicKey]) {
    t.notOk(isWeakKey(x));
    const y = Buffer.from(x, 'base64url');
    y[31] = (y[31] ?? 0) & 0x7f;
    t.notOk(hasSmallOrder(yOf(y.toString('hex'))));
  }
});
