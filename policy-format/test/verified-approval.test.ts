import t from 'tap';
import {
  type Approval,
  addSignature,
  canonicalJson,
  digestOfPayload,
  type SignedDocument,
  sign,
  type TrustRoot,
  trustRootOf,
  verifyApproval,
} from '../src/index.ts';
import { AT_MS, approvalBy, signedBy, type TrustWorld, trustWorld } from './trust-world.ts';

const world = await trustWorld();
const { root } = world;
const thresholds = (changes: Partial<TrustRoot['thresholds']>): TrustRoot => ({
  ...root,
  thresholds: { ...root.thresholds, ...changes },
});
const without = (name: string): TrustRoot => ({ ...root, people: root.people.filter((it) => it.name !== name) });

const verify = async (
  document: unknown,
  by: TrustRoot = root,
  nowMs: number = AT_MS,
): ReturnType<typeof verifyApproval> => verifyApproval({ document, root: by, accepted: () => false, nowMs });

async function codeOf(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
    return 'accepted';
  } catch (thrown) {
    return (thrown as { code?: string }).code ?? String(thrown);
  }
}

const glass = (endsAt: string): Partial<Approval> => ({ breakGlass: { endsAt } });
const inTwoHours = '2026-11-22T12:00:00.000Z';

interface Row {
  approval?: Approval;
  by: string[];
  root?: TrustRoot;
  expect: string;
}

const table: Record<string, Row> = {
  'the author and one approver': { by: ['ana', 'ben'], expect: 'accepted' },
  'more approvers than needed': { by: ['ana', 'ben', 'cleo', 'dora'], expect: 'accepted' },
  'an approver under a second key': { by: ['ana', 'cleo2'], expect: 'accepted' },
  'an author who is an approver, and another one': {
    approval: approvalBy('cleo'),
    by: ['cleo', 'ben'],
    expect: 'accepted',
  },
  'signatures of strangers beside good ones': {
    by: ['stranger', 'store', 'viv', 'ana', 'log', 'ben'],
    expect: 'accepted',
  },
  nobody: { by: [], expect: 'EDW_ERR_APPROVAL_UNSIGNED' },
  'approvers alone': { by: ['ben', 'cleo', 'dora'], expect: 'EDW_ERR_APPROVAL_UNSIGNED' },
  'the author alone': { by: ['ana'], expect: 'EDW_ERR_APPROVAL_TOO_FEW' },
  'the store': { by: ['ana', 'store', 'log'], expect: 'EDW_ERR_APPROVAL_TOO_FEW' },
  'somebody who is not in the trust root': { by: ['ana', 'stranger'], expect: 'EDW_ERR_APPROVAL_TOO_FEW' },
  'somebody without the role': { by: ['ana', 'viv'], expect: 'EDW_ERR_APPROVAL_TOO_FEW' },
  'a proposer who approves': { approval: approvalBy('cleo'), by: ['cleo'], expect: 'EDW_ERR_APPROVAL_TOO_FEW' },
  'a proposer who approves under a second key': {
    approval: approvalBy('cleo'),
    by: ['cleo', 'cleo2'],
    expect: 'EDW_ERR_APPROVAL_TOO_FEW',
  },
  'a proposer who is no author': {
    approval: approvalBy('ben'),
    by: ['ben', 'cleo', 'dora'],
    expect: 'EDW_ERR_APPROVAL_PROPOSER',
  },
  'a proposer whom nobody knows': {
    approval: approvalBy('mallory'),
    by: ['ana', 'ben', 'stranger'],
    expect: 'EDW_ERR_APPROVAL_PROPOSER',
  },
  'another who was meant to be the proposer': {
    approval: approvalBy('cleo'),
    by: ['ana', 'ben'],
    expect: 'EDW_ERR_APPROVAL_UNSIGNED',
  },
  'a risk, and approvers for it': {
    approval: approvalBy('ana', { risks: ['unfenced'], approvals: 2 }),
    by: ['ana', 'ben', 'dora'],
    expect: 'accepted',
  },
  'a risk that asks for as many as none': {
    approval: approvalBy('ana', { risks: ['unfenced'], approvals: 1 }),
    by: ['ana', 'ben', 'dora'],
    expect: 'EDW_ERR_APPROVAL_THRESHOLD',
  },
  'a risk, and too few for it': {
    approval: approvalBy('ana', { risks: ['unfenced'], approvals: 2 }),
    by: ['ana', 'ben'],
    expect: 'EDW_ERR_APPROVAL_TOO_FEW',
  },
  'two keys of one approver where two people are needed': {
    approval: approvalBy('ana', { risks: ['unfenced'], approvals: 2 }),
    by: ['ana', 'cleo', 'cleo2'],
    expect: 'EDW_ERR_APPROVAL_TOO_FEW',
  },
  'a proposer among the two who are needed': {
    approval: approvalBy('cleo', { risks: ['any-source'], approvals: 2 }),
    by: ['cleo', 'cleo2', 'ben'],
    expect: 'EDW_ERR_APPROVAL_TOO_FEW',
  },
  'more asked for than the trust root does': {
    approval: approvalBy('ana', { approvals: 3 }),
    by: ['ana', 'ben', 'dora'],
    expect: 'EDW_ERR_APPROVAL_TOO_FEW',
  },
  'no approver asked for': {
    approval: approvalBy('ana', { approvals: 0 }),
    by: ['ana', 'ben'],
    expect: 'EDW_ERR_APPROVAL_THRESHOLD',
  },
  'a threshold that was raised since': {
    by: ['ana', 'ben'],
    root: thresholds({ normal: 2 }),
    expect: 'EDW_ERR_APPROVAL_THRESHOLD',
  },
  'an approver who has left since': { by: ['ana', 'ben'], root: without('ben'), expect: 'EDW_ERR_APPROVAL_TOO_FEW' },
  'an author who has left since': { by: ['ana', 'ben'], root: without('ana'), expect: 'EDW_ERR_APPROVAL_PROPOSER' },
  'another store': {
    approval: approvalBy('ana', { store: 'f'.repeat(32) }),
    by: ['ana', 'ben'],
    expect: 'EDW_ERR_APPROVAL_STORE',
  },
  'a trust root that is not known yet': {
    approval: approvalBy('ana', { root: 2 }),
    by: ['ana', 'ben'],
    expect: 'EDW_ERR_APPROVAL_ROOT',
  },
  'an older trust root, and people who stayed': {
    by: ['ana', 'ben'],
    root: { ...root, version: 9 },
    expect: 'accepted',
  },
  'break-glass by one approver': {
    approval: approvalBy('ana', glass(inTwoHours)),
    by: ['ana', 'ben'],
    expect: 'accepted',
  },
  'break-glass with a risk': {
    approval: approvalBy('ana', { ...glass(inTwoHours), risks: ['unfenced'], approvals: 2 }),
    by: ['ana', 'ben'],
    expect: 'accepted',
  },
  'break-glass by an approver who proposed it': {
    approval: approvalBy('dora', glass(inTwoHours)),
    by: ['dora'],
    expect: 'accepted',
  },
  'break-glass that has ended': {
    approval: approvalBy('dora', glass('2026-11-22T09:30:00.000Z')),
    by: ['dora'],
    expect: 'accepted',
  },
  'break-glass in the name of another': {
    approval: approvalBy('ana', glass(inTwoHours)),
    by: ['ben'],
    expect: 'EDW_ERR_APPROVAL_UNSIGNED',
  },
  'break-glass by an author': {
    approval: approvalBy('ana', glass(inTwoHours)),
    by: ['ana'],
    expect: 'EDW_ERR_APPROVAL_GLASS_UNSIGNED',
  },
  'break-glass by a viewer': {
    approval: approvalBy('viv', glass(inTwoHours)),
    by: ['viv'],
    expect: 'EDW_ERR_APPROVAL_PROPOSER',
  },
  'break-glass by the store': {
    approval: approvalBy('ana', glass(inTwoHours)),
    by: ['ana', 'store'],
    expect: 'EDW_ERR_APPROVAL_GLASS_UNSIGNED',
  },
  'break-glass for too long': {
    approval: approvalBy('dora', glass('2026-11-22T12:00:00.001Z')),
    by: ['dora'],
    expect: 'EDW_ERR_APPROVAL_GLASS_LONG',
  },
  'break-glass where it is switched off': {
    approval: approvalBy('dora', glass(inTwoHours)),
    by: ['dora', 'ben'],
    root: thresholds({ breakGlassHours: 0 }),
    expect: 'EDW_ERR_APPROVAL_GLASS_OFF',
  },
};

t.test('an approval is accepted from the people whom the trust root asks for, and from nobody else', async (t) => {
  for (const [name, row] of Object.entries(table)) {
    const document = await signedBy(world, row.approval ?? approvalBy('ana'), row.by);
    t.equal(await codeOf(verify(document, row.root)), row.expect, name);
  }
});

t.test('who approved is told by name, once each, without the proposer', async (t) => {
  const document = await signedBy(world, approvalBy('ana'), ['dora', 'cleo2', 'ana', 'cleo', 'stranger']);
  const { approvers, digest, acceptedBefore, approval } = await verify(document);
  t.strictSame({ approvers, acceptedBefore }, { approvers: ['cleo', 'dora'], acceptedBefore: false });
  t.equal(digest, digestOfPayload(document));
  t.strictSame(approval, approvalBy('ana'));
});

t.test('what was accepted before stays good without anybody, in its own store only', async (t) => {
  const document = await signedBy(world, approvalBy('ana'), ['ana', 'ben']);
  const digest = digestOfPayload(document);
  const accepted = (other: string): boolean => other === digest;
  const bare = { payload: document.payload, signatures: [] };
  const later = { ...without('ben'), version: 4 };
  const check = { root: later, accepted, nowMs: AT_MS };
  t.match(await verifyApproval({ ...check, document: bare }), { acceptedBefore: true, approvers: [], digest });
  const other = await signedBy(world, approvalBy('ana', { reason: 'another one' }), ['ana', 'ben']);
  t.equal(await codeOf(verifyApproval({ ...check, document: other })), 'EDW_ERR_APPROVAL_TOO_FEW');
  const moved = { ...check, root: { ...root, store: 'f'.repeat(32) } };
  t.equal(await codeOf(verifyApproval({ ...moved, document })), 'EDW_ERR_APPROVAL_STORE');
});

t.test('any set of signers is accepted if and only if the rules say so', async (t) => {
  const names = ['ana', 'ben', 'cleo', 'cleo2', 'dora', 'viv', 'stranger', 'store'];
  const subsets = Array.from({ length: 2 ** names.length }, (_, bits) => names.filter((_, at) => (bits >> at) & 1));
  const wrong: string[] = [];
  for (const proposer of ['ana', 'cleo', 'ben'])
    for (const approvals of [1, 2]) {
      const whole = await signedBy(world, approvalBy(proposer, { approvals }), names);
      for (const subset of subsets) {
        const signatures = whole.signatures.filter((_, at) => subset.includes(names[at] ?? ''));
        const people = new Set(subset.map((name) => name.replace('2', '')));
        const others = ['ben', 'cleo', 'dora'].filter((name) => people.has(name) && name !== proposer);
        const expected = proposer !== 'ben' && people.has(proposer) && others.length >= approvals;
        const code = await codeOf(verify({ payload: whole.payload, signatures }));
        if ((code === 'accepted') !== expected) wrong.push(`${proposer} ${approvals} ${subset}: ${code}`);
      }
    }
  t.strictSame(wrong, []);
});

t.test('signatures count for what they were made over, by the key that they name', async (t) => {
  const approval = approvalBy('ana');
  const good = await signedBy(world, approval, ['ana', 'ben']);
  const [byAna, byBen] = good.signatures;
  if (byAna === undefined || byBen === undefined) throw new Error('two signatures');
  const ana = { payload: good.payload, signatures: [byAna] };
  const otherTyp = await addSignature(ana, 'edgeward-head/1', world.key('ben'));
  const byStranger = (await signedBy(world, approval, ['stranger'])).signatures[0];
  const ofOther = (await signedBy(world, approvalBy('ana', { version: 8 }), ['ben'])).signatures[0];
  const header = (value: unknown): string => Buffer.from(canonicalJson(value)).toString('base64url');
  const text = (value: string): string => Buffer.from(value).toString('base64url');
  const { kid } = world.key('ben');
  const hostile: Record<string, { protected?: string | undefined; signature?: string | undefined }> = {
    'another typ in the header': { ...otherTyp.signatures[1] },
    "another's signature under this kid": { protected: byBen.protected, signature: byStranger?.signature },
    "this key's signature under another kid": { protected: byAna.protected, signature: byBen.signature },
    'a signature of another version': { ...ofOther },
    'alg none': { protected: header({ alg: 'none', kid, typ: approval.typ }), signature: '' },
    'alg HS256': { protected: header({ alg: 'HS256', kid, typ: approval.typ }), signature: byBen.signature },
    'alg EdDSA': { protected: header({ alg: 'EdDSA', kid, typ: approval.typ }), signature: byBen.signature },
    'a header with one member more': {
      protected: header({ alg: 'Ed25519', b64: false, kid, typ: approval.typ }),
      signature: byBen.signature,
    },
    'a header with white space': {
      protected: text(` {"alg":"Ed25519","kid":"${kid}","typ":"${approval.typ}"}`),
      signature: byBen.signature,
    },
    'a header with a key twice': {
      protected: text(`{"alg":"none","alg":"Ed25519","kid":"${kid}","typ":"${approval.typ}"}`),
      signature: byBen.signature,
    },
    'a header that is no JSON': { protected: text('{'), signature: byBen.signature },
    'an empty header': { protected: '', signature: byBen.signature },
    'half a signature': { protected: byBen.protected, signature: text('half') },
  };
  for (const [name, signature] of Object.entries(hostile)) {
    const document = { payload: good.payload, signatures: [byAna, signature] };
    t.equal(await codeOf(verify(document)), 'EDW_ERR_APPROVAL_TOO_FEW', name);
    const beside = { payload: good.payload, signatures: [signature, byAna, signature, byBen] };
    t.equal(await codeOf(verify(beside)), 'accepted', `${name}, beside good ones`);
  }
});

t.test('a header of other members, really signed, is nobody’s signature', async (t) => {
  const { FlattenedSign, importJWK } = await import('jose');
  const good = await signedBy(world, approvalBy('ana'), ['ana']);
  const key = await importJWK(world.key('ben').jwk, 'Ed25519');
  const base = { alg: 'Ed25519', kid: world.key('ben').kid, typ: 'edgeward-approval/1' };
  const headers = [
    { ...base, iat: 1 },
    { ...base, typ: 'edgeward-root/1' },
    { alg: base.alg, kid: base.kid },
    { typ: base.typ, kid: base.kid, alg: base.alg },
    { ...base, alg: 'EdDSA' },
  ];
  for (const protectedHeader of headers) {
    const flat = await new FlattenedSign(Buffer.from(good.payload, 'base64url'))
      .setProtectedHeader(protectedHeader)
      .sign(key);
    const signatures = [...good.signatures, { protected: flat.protected ?? '', signature: flat.signature }];
    t.equal(
      await codeOf(verify({ payload: good.payload, signatures })),
      'EDW_ERR_APPROVAL_TOO_FEW',
      JSON.stringify(Object.keys(protectedHeader)),
    );
  }
});

t.test('a bad signature under a key’s id does not keep the good one out', async (t) => {
  const good = await signedBy(world, approvalBy('ana'), ['ana', 'ben']);
  const byBen = good.signatures[1];
  if (byBen === undefined) throw new Error('two signatures');
  const planted = {
    payload: good.payload,
    signatures: [...good.signatures.slice(0, 1), { protected: byBen.protected, signature: 'AAAA' }],
  };
  t.equal(await codeOf(verify(planted)), 'EDW_ERR_APPROVAL_TOO_FEW');
  const signed = await addSignature(planted, 'edgeward-approval/1', world.key('ben'));
  t.equal(await codeOf(verify(signed)), 'accepted');
  t.equal(await addSignature(signed, 'edgeward-approval/1', world.key('ben')), signed, 'signing again adds nothing');
});

const respelled = async (world: TrustWorld): Promise<Record<string, unknown>> => {
  const good = await signedBy(world, approvalBy('ana'), ['ana', 'ben']);
  const withSignature = (change: Record<string, unknown>): unknown => ({
    ...good,
    signatures: good.signatures.map((it, at) => (at === 1 ? { ...it, ...change } : it)),
  });
  const byBen = good.signatures[1]?.signature ?? '';
  return {
    nothing: null,
    'a text': 'x',
    'a list': [good],
    'one key more': { ...good, header: {} },
    'one key less': { payload: good.payload },
    'a compact form': `${good.signatures[0]?.protected}.${good.payload}.${good.signatures[0]?.signature}`,
    'a payload of another spelling': { ...good, payload: `${good.payload}=` },
    'a payload with white space': { ...good, payload: `${good.payload}\n` },
    'a payload in base64': { ...good, payload: `${good.payload.slice(0, -4)}+/+/` },
    'a signature of another spelling': withSignature({ signature: `${byBen}=` }),
    'a last character with other unread bits': withSignature({
      signature: byBen.slice(0, -1) + { A: 'B', Q: 'R', g: 'h', w: 'x' }[byBen.slice(-1)],
    }),
    'a signature that is a list': withSignature({ signature: [byBen] }),
    'an unprotected header': withSignature({ header: { kid: 'x' } }),
    'a signature of a megabyte': withSignature({ signature: 'A'.repeat(1_000_000) }),
    '1,000 signatures': { ...good, signatures: Array.from({ length: 1000 }, () => good.signatures[0]) },
    'signatures that are no list': { ...good, signatures: { length: 1, 0: good.signatures[0] } },
    'a key __proto__': JSON.parse(`{"__proto__":${JSON.stringify(good)}}`),
  };
};

t.test('a signed document has one form', async (t) => {
  for (const [name, document] of Object.entries(await respelled(world)))
    t.equal(await codeOf(verify(document)), 'EDW_ERR_FORMAT_SIGNED', name);
});

t.test('64 signatures are looked at, whoever planted the others', async (t) => {
  const good = await signedBy(world, approvalBy('ana'), ['ana', 'ben']);
  const [byAna, byBen] = good.signatures;
  if (byAna === undefined || byBen === undefined) throw new Error('two signatures');
  const junk = Array.from({ length: 62 }, () => ({ protected: byBen.protected, signature: 'AAAA' }));
  t.equal(await codeOf(verify({ payload: good.payload, signatures: [...junk, byAna, byBen] })), 'accepted');
});

t.test('the payload is canonical, and exactly an approval', async (t) => {
  const text = canonicalJson(approvalBy('ana'));
  const hostile: Record<string, [string, string]> = {
    'a key twice': [text.replace('"approvals":1', '"approvals":0,"approvals":1'), 'EDW_ERR_FORMAT_NOT_CANONICAL'],
    'white space': [` ${text}`, 'EDW_ERR_FORMAT_NOT_CANONICAL'],
    'keys out of order': [`{"version":7,${text.slice(1)}`, 'EDW_ERR_FORMAT_NOT_CANONICAL'],
    'a key __proto__': [`{"__proto__":{},${text.slice(1)}`, 'EDW_ERR_FORMAT_NOT_CANONICAL'],
    'an escaped __proto__': [`{"__proto\\u005f_":{},${text.slice(1)}`, 'EDW_ERR_FORMAT_NOT_CANONICAL'],
    'a huge integer': [text.replace('"version":7', '"version":9007199254740993'), 'EDW_ERR_FORMAT_NOT_CANONICAL'],
    'an integer that is not safe': [
      text.replace('"version":7', '"version":9007199254740992'),
      'EDW_ERR_FORMAT_APPROVAL',
    ],
    infinity: [text.replace('"version":7', '"version":1e999'), 'EDW_ERR_FORMAT_NOT_CANONICAL'],
    'minus nothing': [text.replace('"bytes":10', '"bytes":-0'), 'EDW_ERR_FORMAT_NOT_CANONICAL'],
    'half a surrogate pair': [text.replace('CHG-4411', '\\ud800'), 'EDW_ERR_FORMAT_NOT_CANONICAL'],
    'deep nesting': ['['.repeat(40) + ']'.repeat(40), 'EDW_ERR_FORMAT_DEPTH'],
    'a million brackets': ['['.repeat(1_000_000), 'EDW_ERR_FORMAT_TOO_LARGE'],
    'no JSON': ['{', 'EDW_ERR_FORMAT_NOT_CANONICAL'],
    nothing: ['', 'EDW_ERR_FORMAT_NOT_CANONICAL'],
    null: ['null', 'EDW_ERR_FORMAT_APPROVAL'],
    'a byte order mark': [`\u{feff}${text}`, 'EDW_ERR_FORMAT_NOT_CANONICAL'],
  };
  const { signatures } = await signedBy(world, approvalBy('ana'), ['ana', 'ben']);
  for (const [name, [payload, code]] of Object.entries(hostile)) {
    const document: SignedDocument = { payload: Buffer.from(payload).toString('base64url'), signatures };
    t.equal(await codeOf(verify(document)), code, name);
  }
  const notUtf8 = { payload: Buffer.of(0x22, 0xff, 0x22).toString('base64url'), signatures };
  t.equal(await codeOf(verify(notUtf8)), 'EDW_ERR_FORMAT_NOT_CANONICAL', 'no UTF-8');
});

const changes: Record<string, Record<string, unknown>> = {
  'another typ': { typ: 'edgeward-root/1' },
  'a key that nobody knows': { extra: 1 },
  'a store that is no id': { store: '0123456789ABCDEF0123456789ABCDEF' },
  'no version': { version: 0 },
  'a version in text': { version: '7' },
  'half a version': { version: 7.5 },
  'a negative size': { documents: { digest: 'b'.repeat(64), bytes: -1, count: 1 } },
  'a digest in capitals': { slices: { root: 'C'.repeat(64), count: 3 } },
  'a digest that is a path': { previous: '../../etc/passwd' },
  'none before version 7': { previous: null },
  'one before version 1': { version: 1 },
  'a proposer that is no name': { proposedBy: '../ana' },
  'a proposer with a line more': { proposedBy: 'ana\n' },
  'a proposer called __proto__': { proposedBy: '_proto_' },
  'a day without a time': { proposedAt: '2026-11-22' },
  'another time zone': { proposedAt: '2026-11-22T09:00:00.000+00:00' },
  'no milliseconds': { proposedAt: '2026-11-22T09:00:00Z' },
  'the 31st of November': { proposedAt: '2026-11-31T09:00:00.000Z' },
  'a leap second': { expiresAt: '2026-11-23T23:59:60.000Z' },
  'an end before the beginning': { expiresAt: '2026-11-22T09:00:00.000Z' },
  'no reason': { reason: '' },
  'an endless reason': { reason: 'x'.repeat(1001) },
  'a reason that clears the screen': { reason: '\u001b[2Jall is well' },
  'a reason that turns the text round': { reason: 'allow \u202eyned' },
  'a reason of two lines': { reason: 'a\nb' },
  'a risk that nobody knows': { risks: ['none'] },
  'a risk twice': { risks: ['unfenced', 'unfenced'] },
  'risks out of order': { risks: ['unfenced', 'any-source'] },
  'more approvers than signatures fit': { approvals: 65 },
  'break-glass without an end': { breakGlass: {} },
  'break-glass that ends before it begins': { breakGlass: { endsAt: '2026-11-22T08:00:00.000Z' } },
  'break-glass in version 1': { breakGlass: { endsAt: inTwoHours }, version: 1, previous: null },
  'a return in version 1': { returnUntil: inTwoHours, version: 1, previous: null },
  'a return that is yes': { returnUntil: true },
};

t.test('each field has one form, under good signatures too', async (t) => {
  for (const [name, change] of Object.entries(changes)) {
    const value = { ...approvalBy('ana'), ...change } as { typ: string };
    const document = await sign({ ...value, typ: value.typ }, [world.key('ana'), world.key('ben')]);
    t.equal(await codeOf(verify(document)), 'EDW_ERR_FORMAT_APPROVAL', name);
  }
  for (const key of Object.keys(approvalBy('ana'))) {
    const value: Record<string, unknown> = { ...approvalBy('ana') };
    delete value[key];
    const document = await sign(value as { typ: string }, [world.key('ana')]);
    t.equal(await codeOf(verify(document)), 'EDW_ERR_FORMAT_APPROVAL', `without ${key}`);
  }
});

t.test('a message about a stranger’s text can be shown', async (t) => {
  const value = { ...approvalBy('ana'), ['\u001b[2J'.repeat(400)]: 1 };
  const document = await sign(value, [world.key('ana')]);
  await t.rejects(verify(document), { message: /^[^\p{Cc}]{10,700}$/u });
});

t.test('the world of these tests is a trust root', async (t) => {
  t.strictSame(trustRootOf(root), root);
});
