/** A store, or something in its place, that lies: nothing of it is shown as true, nothing is signed, nothing hangs. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  digestOfPayload,
  generateSigningKey,
  LIMITS,
  payloadOf,
  type SignedDocument,
  sign,
  signedDocumentOf,
} from '@edgeward/policy-format';
import t, { type Test } from 'tap';
import { openExchange } from '../src/store/client/exchange.ts';
import { readSigningKey } from '../src/store/keys/signing-key-file.ts';
import { type Lies, openLyingStore } from './fixtures/lying-store.ts';
import { makeStore, ok, type RealStore, serveStore } from './fixtures/real-store.ts';
import { examplePolicies, run } from './fixtures/run.ts';

/** With version 1 in force and a proposal for version 2. */
async function openStore(t: Test): Promise<RealStore & { id: string; digest: string }> {
  const folders = await makeStore(t);
  cpSync(join(examplePolicies, 'inventory.yaml'), join(folders.inventory, 'inventory.yaml'));
  cpSync(examplePolicies, folders.policies, { recursive: true });
  const store = await serveStore(t, folders);
  await store.workloads(3);
  const propose = async (): Promise<string> => {
    const made = await store.json<{ digest: string }>('ada', ['propose', store.policies, '--reason', 'CHG-1']);
    return made.digest;
  };
  const first = await propose();
  for (const name of ['ben', 'cyn'] as const) await store.json(name, ['approve', first, '--reason', 'ok']);
  await store.json('ben', ['publish', first]);
  const file = join(store.policies, 'shop.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace('path: /v1/catalogue/*', 'path: /v1/*'));
  const digest = await propose();
  return { ...store, id: digest.slice(0, 16), digest };
}

type Json = Record<string, unknown>;
const changed = (text: string, change: (value: Json) => Json): string =>
  JSON.stringify(change(JSON.parse(text) as Json));

t.test('whatever a store shows beside what was signed is refused, before anything is signed', async (t) => {
  const store = await openStore(t);
  const { id } = store;
  const proposal = `GET /v1/proposals/${id}`;
  const version = 'GET /v1/versions/newest';
  const stranger = await generateSigningKey();
  const root = signedDocumentOf(JSON.parse(readFileSync(store.pinned('ben'), 'utf8')));
  const payload = payloadOf(root, 'root', LIMITS.rootBytes) as Json & { typ: string };
  const forged = await sign(followed(payload, 'ab'.repeat(32)), [stranger]);
  const chained = await sign(followed(payload, await fingerprint(store)), [stranger]);
  const signatures = (keep: number) => (text: string) =>
    changed(text, (value) => {
      const key = 'document' in value ? 'document' : 'approval';
      const document = value[key] as SignedDocument;
      return { ...value, [key]: { ...document, signatures: document.signatures.slice(0, keep) } };
    });
  const other = (text: string): string =>
    changed(text, (value) => ({
      ...value,
      document: { ...(value.document as SignedDocument), payload: root.payload },
    }));
  const cases: { name: string; lies: Lies; code: string }[] = [
    {
      name: 'other documents',
      lies: { [`${proposal}/documents`]: (it) => it.replace('/v1/*', '/*') },
      code: 'EDW_ERR_STORE_TAMPERED',
    },
    { name: 'no documents', lies: { [`${proposal}/documents`]: () => '' }, code: 'EDW_ERR_STORE_TAMPERED' },
    { name: 'another payload', lies: { [proposal]: other }, code: 'EDW_ERR_STORE_TAMPERED' },
    { name: 'no signature of the proposer', lies: { [proposal]: signatures(0) }, code: 'EDW_ERR_STORE_TAMPERED' },
    {
      name: 'policy called a root',
      lies: { [proposal]: (it) => it.replace('"kind":"policy"', '"kind":"root"') },
      code: 'EDW_ERR_FORMAT_ROOT',
    },
    { name: 'a version without an approver', lies: { [version]: signatures(2) }, code: 'EDW_ERR_APPROVAL_TOO_FEW' },
    {
      name: 'no version at all',
      lies: { [version]: () => refused(404, 'EDW_ERR_VERSION_UNKNOWN') },
      code: 'EDW_ERR_STORE_ROLLED_BACK',
    },
    {
      name: 'another number',
      lies: { [version]: (it) => it.replace('"version":1', '"version":7') },
      code: 'EDW_ERR_STORE_TAMPERED',
    },
    {
      name: 'other documents of the version',
      lies: { 'GET /v1/versions/1/documents': () => '' },
      code: 'EDW_ERR_PROPOSAL_DIFFERS',
    },
    {
      name: 'a root that follows nothing',
      lies: { 'GET /v1/roots/2': () => JSON.stringify(forged) },
      code: 'EDW_ERR_ROOT_PREVIOUS',
    },
    {
      name: 'a root of a stranger',
      lies: { 'GET /v1/roots/2': () => JSON.stringify(chained) },
      code: 'EDW_ERR_ROOT_OLD_APPROVERS',
    },
  ];
  t.equal((await store.as('ben', ['review', id])).code, 3, 'as it is, it can be reviewed');
  for (const { name, lies, code } of cases) {
    const lying = await openLyingStore(t, store, lies);
    for (const args of [
      ['review', id],
      ['approve', id, '--reason', 'ok'],
    ])
      t.match(await lying.ben(args), { code: 3, out: '', err: new RegExp(`^error ${code}: `) }, `${name}: ${args[0]}`);
    t.strictSame(
      lying.asked.filter((it) => it.startsWith('POST')),
      [],
      `${name}: nothing is sent`,
    );
  }
});

t.test('an id is signed only as what this machine has shown of it', async (t) => {
  const store = await openStore(t);
  const { id, digest } = store;
  const file = `${store.pinned('ben')}.reviewed`;
  const posts = { [`POST /v1/proposals/${id}/signatures`]: () => refused(409, 'EDW_ERR_PROPOSAL_CLOSED') };
  const lying = await openLyingStore(t, store, posts);
  const approve = (what: string) => lying.ben(['approve', what, '--reason', 'ok']);
  const sent = (): string[] => lying.asked.filter((it) => it.startsWith('POST'));
  t.match(await approve(id), { code: 2, out: '', err: /has not shown the proposal .*\n.*store review/ });
  t.equal((await lying.ben(['review', id])).code, 3);
  t.strictSame(JSON.parse(readFileSync(file, 'utf8')), { reviewed: [{ id, digest }] });
  // Two payloads of one id, as who searched for them would have them.
  const twin = `${id}${'0'.repeat(48)}`;
  writeFileSync(file, JSON.stringify({ reviewed: [{ id, digest: twin }] }));
  const other = { code: 3, out: '', err: /EDW_ERR_STORE_TAMPERED/ };
  t.match(await lying.ben(['review', id]), other);
  t.match(await approve(id), other);
  t.match(await approve(twin), other, 'all digits of another one');
  writeFileSync(file, '{');
  t.match(await approve(id), { code: 78, out: '', err: /EDW_ERR_STATE_READ/ });
  t.strictSame(sent(), [], 'nothing was sent');
  const signed = await approve(digest);
  t.strictSame(sent(), [`POST /v1/proposals/${id}/signatures`]);
  t.match(signed, { code: 3, err: /EDW_ERR_PROPOSAL_CLOSED/ });
  t.match(signed.out, `payload ${digest}\n`, 'what is signed is printed before it is sent');
  t.match(signed.out, '      - http methods GET; path /v1/catalogue/*\n      + http methods GET; path /v1/*\n');
  const json = await lying.ben(['approve', digest, '--reason', 'ok', '--json']);
  t.match(json, { code: 3, out: /^\{"error":/, err: new RegExp(`^signing ${digest}\n`) });
});

t.test('a proposal is looked at by the clock of this machine', async (t) => {
  const store = await openStore(t);
  const key = await readSigningKey(join(store.root, 'ada.key'), null);
  const shown = JSON.parse(await fetchProposal(store, store.id)) as Json & { document: SignedDocument };
  const payload = payloadOf(shown.document, 'approval', LIMITS.approvalBytes) as Json & { typ: string };
  const day = 86_400_000;
  const at = (ms: number): string => new Date(Date.now() + ms).toISOString();
  const cases: { name: string; change: Json; says: RegExp }[] = [
    { name: 'as it is', change: {}, says: /^$/ },
    {
      name: 'from next year',
      change: { proposedAt: at(365 * day), expiresAt: at(366 * day), returnUntil: null },
      says: /EDW_ERR_PROPOSAL_TIME: .*it was made at .*, which is to come/,
    },
    {
      name: 'expired',
      change: { proposedAt: at(-2 * day), expiresAt: at(-day), returnUntil: null },
      says: /EDW_ERR_PROPOSAL_CLOSED: .*it expired at /,
    },
    {
      name: 'a long way back',
      change: { returnUntil: at(60 * day) },
      says: /EDW_ERR_PROPOSAL_TIME: .*points could return/,
    },
    {
      name: 'long break-glass',
      change: { breakGlass: { endsAt: at(30 * day) }, approvals: 1, returnUntil: null },
      says: /EDW_ERR_PROPOSAL_TIME: .*its break-glass ends at/,
    },
  ];
  for (const { name, change, says } of cases) {
    const document = await sign(Object.assign({}, payload, change), [key]);
    const digest = digestOfPayload(document);
    const path = `GET /v1/proposals/${digest.slice(0, 16)}`;
    const documents = await fetchBytes(store, `/v1/proposals/${store.id}/documents`);
    const lying = await openLyingStore(t, store, {
      [path]: () => JSON.stringify({ ...shown, id: digest.slice(0, 16), document }),
      [`${path}/documents`]: () => documents,
    });
    for (const args of [
      ['review', digest],
      ['approve', digest, '--reason', 'ok', '--dry-run'],
    ]) {
      if (name === 'as it is' && args[0] === 'approve') continue;
      t.match(await lying.ben(args), { code: 3, err: says }, `${name}: ${args[0]}`);
    }
    t.strictSame(
      lying.asked.filter((it) => it.startsWith('POST')),
      [],
      `${name}: nothing is sent`,
    );
  }
});

t.test('glass is not broken on top of a version that is not everywhere, unless that one is named', async (t) => {
  const store = await openStore(t);
  const glass = ['--break-glass', '--for', '1h', '--reason', 'INC-7'];
  const term = ['--from', '127.0.99.7', '--to', "app == 'shop' && role == 'admin'", '--ports', 'tcp/80'];
  const commands = [
    ['propose', store.policies, ...glass],
    ['restore', '1', ...glass],
    ['grant', ...term, ...glass],
  ];
  const sent = { 'POST /v1/proposals': () => refused(409, 'EDW_ERR_PROPOSAL_LIMIT') };
  const table: { state: string; version: number | null; word?: string }[] = [
    ...['rolling', 'halted', 'returned', 'done', 'none', 'of a later release'].map((state) => ({ state, version: 1 })),
    { state: 'done', version: 2, word: 'not begun' },
    { state: 'none', version: null, word: 'not begun' },
  ];
  for (const { state, version, word = state } of table) {
    const said = (it: string): string =>
      changed(it, (value) => ({ ...value, rollout: { ...(value.rollout as Json), state, version } }));
    const lying = await openLyingStore(t, store, { ...sent, 'GET /v1/status': said });
    const posts = (): number => lying.asked.filter((it) => it.startsWith('POST')).length;
    const isSettled = state === 'done' && version === 1;
    for (const [i, args] of commands.entries()) {
      const first = await lying.ben(args);
      t.match(first, { code: isSettled ? 75 : 3, out: '' }, `${args[0]}, ${state} ${version}`);
      if (isSettled) t.equal(posts(), i + 1);
      else t.match(first.err, `EDW_ERR_ROLLOUT_STATE: breaking glass: the roll-out of version 1 is ${word},`);
    }
    if (isSettled) continue;
    t.equal(posts(), 0, `${state}: nothing is sent`);
    t.match(await lying.ben([...(commands[0] ?? []), '--on-top-of', '2']), { code: 2, err: /version 1 is the newest/ });
    await lying.ben([...(commands[0] ?? []), '--on-top-of', '1']);
    t.equal(posts(), 1, `${state}: it was named`);
  }
  const lying = await openLyingStore(t, store, sent);
  const plain = await lying.ben(['propose', store.policies, '--reason', 'x', '--on-top-of', '1']);
  t.match(plain, { code: 2, err: /--on-top-of says what break-glass stands on/ });
});

t.test('a version that only old keys signed is believed where it is known, or confirmed', async (t) => {
  const store = await openStore(t);
  const policy = {
    version: 1,
    digest: (await store.json<{ policy: { digest: string } }>('cyn', ['root'])).policy.digest,
  };
  await ok(['store', 'key', '--name', 'cyn', '--out', join(store.root, 'cyn-2.key')]);
  const { kid, x } = JSON.parse(readFileSync(join(store.root, 'cyn-2.key.pub'), 'utf8')) as { kid: string; x: string };
  const file = join(store.root, 'root-2.json');
  await store.as('ben', ['root', '--out', file]);
  const draft = JSON.parse(readFileSync(file, 'utf8')) as { people: { name: string }[] };
  const people = draft.people.map((it) => (it.name === 'cyn' ? { ...it, keys: [{ kid, x }] } : it));
  writeFileSync(file, JSON.stringify({ ...draft, people }));
  const made = await store.json<{ root: { digest: string } }>('ben', [
    'propose',
    '--root',
    file,
    '--reason',
    'a lost key',
  ]);
  const { digest } = made.root;
  const sign = ['approve', digest, '--reason', 'it is mine'];
  await store.json('cyn', sign);
  await store.json('cyn', [...sign, '--signing-key', join(store.root, 'cyn-2.key')]);
  await store.json('ben', ['publish', digest.slice(0, 16)]);
  t.match(await store.json('cyn', ['root']), { version: 2, policy }, 'this machine has seen it');
  // Eve's has seen no version, and the signatures that hold now are too few.
  const fresh = await store.as('eve', ['root']);
  t.match(fresh, {
    code: 3,
    out: '',
    err: new RegExp(`EDW_ERR_APPROVAL_UNCONFIRMED: .* version 1, ${policy.digest}, was approved under trust root 1, `),
  });
  t.match(fresh.err, /Compare the 64 digits.*add `--confirm-version` and these digits\./s);
  t.match(await store.as('eve', ['root', '--confirm-version', 'ab'.repeat(32)]), { code: 3, out: '' }, 'another one');
  t.match(await store.as('eve', ['root', '--confirm-version', 'ab']), { code: 2, err: /is no digest/ });
  t.match(await store.json('eve', ['root', '--confirm-version', policy.digest]), { version: 2, policy });
  t.match(
    (await store.as('eve', ['root'])).out,
    `  newest policy: version 1, payload ${policy.digest}\n`,
    'remembered',
  );
});

t.test('an old version is restored by the digests of those after it', async (t) => {
  const store = await openStore(t);
  await store.json('ben', ['approve', store.digest, '--reason', 'ok']);
  await store.json('ben', ['publish', store.id]);
  const newest = await fetchBytes(store, '/v1/versions/newest');
  const restore = ['restore', '1', '--reason', 'x', '--dry-run'];
  t.match(await store.as('ada', restore), { code: 0, out: /restored {2}documents/ });
  const cases: { name: string; lies: Lies; says: RegExp }[] = [
    {
      name: 'another version',
      lies: { 'GET /v1/versions/1': () => newest },
      says: /EDW_ERR_STORE_TAMPERED: version 1 is not the one that version 2 follows/,
    },
    {
      name: 'no version',
      lies: { 'GET /v1/versions/1': () => refused(404, 'EDW_ERR_VERSION_UNKNOWN') },
      says: /EDW_ERR_STORE_TAMPERED: version 1 is not the one that version 2 follows/,
    },
    {
      name: 'other documents',
      lies: { 'GET /v1/versions/1/documents': () => '' },
      says: /EDW_ERR_STORE_TAMPERED: the documents of version 1 are not those that were approved/,
    },
  ];
  for (const { name, lies, says } of cases) {
    const lying = await openLyingStore(t, store, lies);
    t.match(await lying.ben(restore), { code: 3, out: '', err: says }, name);
  }
});

t.test('what takes another payload than was sent did not take it', async (t) => {
  const store = await openStore(t);
  const before = await run(['store', 'review', '--profile', store.profile('ada'), '--json']);
  const [first] = (JSON.parse(before.out) as { proposals: { id: string }[] }).proposals.slice(-1);
  const wrong = await fetchProposal(store, first?.id ?? '');
  const lying = await openLyingStore(t, store, { 'POST /v1/proposals': () => ({ status: 201, body: wrong }) });
  const said = await run([
    'store',
    'propose',
    store.policies,
    '--reason',
    'x',
    '--profile',
    store.profile('ada'),
    '--url',
    lying.url,
  ]);
  t.match(said, { code: 3, out: '', err: /EDW_ERR_STORE_TAMPERED: .*took something else for what was sent/ });
});

t.test('every way to get no good answer has a code, an end, and nothing that a terminal obeys', async (t) => {
  const store = await openStore(t);
  const path = 'GET /v1/proposals';
  const said = (error: Json): string => JSON.stringify({ error });
  const hostile = { code: 'EDW_ERR_PROPOSAL_CLOSED', message: 'a\x1b[2Jb', mend: 'c\u202ed' };
  const cases: { name: string; lies: Lies; code: number; says: RegExp }[] = [
    { name: 'no JSON', lies: { [path]: () => '<html>' }, code: 69, says: /EDW_ERR_STORE_ANSWER: .*it is no JSON/ },
    {
      name: 'another form',
      lies: { [path]: () => '{}' },
      code: 69,
      says: /EDW_ERR_STORE_ANSWER: .*not understood: proposals/,
    },
    {
      name: 'a redirect',
      lies: { [path]: () => ({ status: 302, body: '', headers: { location: 'https://127.0.0.1:1/' } }) },
      code: 69,
      says: /it answered 302/,
    },
    {
      name: 'too much',
      lies: { [path]: () => Buffer.alloc(0x4100000, ' ').toString() },
      code: 69,
      says: /more than 67108864 bytes/,
    },
    {
      name: 'a failure inside',
      lies: { [path]: () => ({ status: 500, body: said({ code: 'EDW_ERR_INTERNAL', message: 'm', mend: 'n' }) }) },
      code: 69,
      says: /it failed inside/,
    },
    {
      name: 'somebody else fails',
      lies: { [path]: () => ({ status: 502, body: 'bad gateway' }) },
      code: 69,
      says: /EDW_ERR_STORE_UNREACHABLE: .*it answered 502/,
    },
    {
      name: 'too often',
      lies: { [path]: () => ({ status: 429, body: said({ code: 'EDW_ERR_STORE_RATE', message: 'm', mend: 'n' }) }) },
      code: 75,
      says: /EDW_ERR_STORE_RATE: m\n {2}n\n/,
    },
    {
      name: 'a refusal in words',
      lies: { [path]: () => ({ status: 403, body: said(hostile) }) },
      code: 3,
      says: /EDW_ERR_PROPOSAL_CLOSED: a\\x1b\[2Jb\n {2}c\\u\{202e\}d\n/,
    },
    {
      name: 'a code of nobody',
      lies: { [path]: () => ({ status: 403, body: said({ ...hostile, code: 'x' }) }) },
      code: 3,
      says: /EDW_ERR_STORE_REFUSED: .*it answered 403/,
    },
    { name: 'silence', lies: { [path]: null }, code: 4, says: /EDW_ERR_TIMEOUT: .*within 300 ms/ },
  ];
  for (const { name, lies, code, says } of cases) {
    const lying = await openLyingStore(t, store, lies);
    t.match(
      await lying.ben(['review', '--timeout', name === 'silence' ? '300ms' : '20s']),
      { code, out: '', err: says },
      name,
    );
  }
  const lying = await openLyingStore(t, store, {
    [path]: (it) =>
      changed(it, (value) => ({
        proposals: (value.proposals as Json[]).map((one) => ({ ...one, reason: '\x1b]0;x\x07', state: 'op\u200ben' })),
      })),
  });
  const shown = await lying.ben(['review']);
  t.match(shown.out, /op\\u\{200b\}en .*: \\x1b\]0;x\\x07\n/);
  const root = join(store.root, 'other');
  await ok(['store', 'key', '--out', join(store.root, 'x.key')]);
  const people = [
    '--person',
    `x:author,approver=${join(store.root, 'x.key.pub')}`,
    '--person',
    `ben:approver=${join(store.root, 'ben.key.pub')}`,
  ];
  await ok(['store', 'init', root, ...people, '--approvals-with-risk', '1']);
  const stranger = await store.as('ben', ['review', '--ca', join(root, 'tls', 'store-ca.pem')]);
  t.match(stranger, { code: 78, err: /EDW_ERR_STORE_CERTIFICATE/ }, 'the certificate of another authority');
  t.match(
    await store.as('ben', ['review', '--pinned-root', join(root, 'root.json')]),
    { code: 0 },
    'a list is only a list',
  );
  const pinned = await store.as('ben', ['review', store.id, '--pinned-root', join(root, 'root.json')]);
  t.match(pinned, { code: 3, err: /EDW_ERR_APPROVAL_STORE|EDW_ERR_PROPOSAL_DIFFERS/ }, 'the root of another store');
});

/** Version 2 after that one, whoever signs it. */
function followed(root: Json & { typ: string }, previous: string): { typ: string } {
  return Object.assign({}, root, { version: 2, previous });
}

function refused(status: number, code: string): { status: number; body: string } {
  return { status, body: JSON.stringify({ error: { code, message: 'm', mend: 'n' } }) };
}

async function fingerprint(store: RealStore): Promise<string> {
  const { roots } = await store.json<{ roots: { fingerprint: string } }>('eve', ['verify']);
  return roots.fingerprint;
}

async function fetchProposal(store: RealStore, id: string): Promise<string> {
  return await fetchBytes(store, `/v1/proposals/${id}`);
}

async function fetchBytes(store: RealStore, path: string): Promise<string> {
  const at = (file: string): string => join(store.root, 'ada', file);
  const files = { certFile: at('ada.pem'), keyFile: at('ada-key.pem'), caFile: at('store-ca.pem') };
  const exchange = await openExchange({ url: store.url, ...files }, 10_000);
  const { bytes } = await exchange.ask({ path, maxBytes: 1 << 20 });
  return bytes.toString('utf8');
}
