/** Keys, the folder of a store, certificates and profiles: what `edgeward store` does with files alone. */
import { X509Certificate } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { digestOfPayload, keyIdOf, signedDocumentOf } from '@edgeward/policy-format';
import t from 'tap';
import { unsealed } from '../src/store/keys/sealed-key.ts';
import { readSigningKey } from '../src/store/keys/signing-key-file.ts';
import { store } from '../src/store/store.ts';
import { makeStore, ok } from './fixtures/real-store.ts';
import { documentsIn, run } from './fixtures/run.ts';

t.test('a key pair is two files, one closed to others, and never replaced', async (t) => {
  const dir = t.testdir();
  const file = join(dir, 'ada.key');
  const { out } = await ok(['store', 'key', '--name', 'ada', '--out', file]);
  t.match(out, /^wrote .*ada\.key \(private key, not sealed\) and .*ada\.key\.pub, key [\w-]{16}\n/);
  t.equal(statSync(file).mode & 0o777, 0o600);
  const shown = JSON.parse(readFileSync(`${file}.pub`, 'utf8')) as { name: string; kid: string; x: string };
  t.strictSame([shown.name, shown.kid], ['ada', keyIdOf(shown.x)]);
  t.equal((await readSigningKey(file, null)).kid, shown.kid);
  t.notOk(out.includes(JSON.parse(readFileSync(file, 'utf8')).d), 'the private part is not printed');
  const before = readFileSync(file);
  t.match(await run(['store', 'key', '--out', file]), { code: 2, err: /EDW_ERR_OUT_FILE: .*there is one already/ });
  t.strictSame(readFileSync(file), before);
});

t.test('a dry run leaves no key', async (t) => {
  const dir = t.testdir();
  const { out } = await ok(['store', 'key', '--out', join(dir, 'x'), '--dry-run', '--json']);
  t.match(documentsIn(out), [{ file: null, publicFile: null, sealed: false }]);
  t.strictSame(readdirSync(dir), []);
});

t.test('a sealed key opens with its passphrase, and with no other', async (t) => {
  const dir = t.testdir({ pass: 'correct horse\n', other: 'battery staple\n' });
  const file = join(dir, 'ada.key');
  const [pass, other] = [join(dir, 'pass'), join(dir, 'other')];
  for (const path of [pass, other]) chmodSync(path, 0o600);
  const { out } = await ok(['store', 'key', '--out', file, '--passphrase-file', pass]);
  t.match(out, 'private key, sealed');
  const { kid } = JSON.parse(readFileSync(`${file}.pub`, 'utf8')) as { kid: string };
  t.equal((await readSigningKey(file, pass)).kid, kid);
  t.match(readFileSync(file, 'utf8'), /^[\w-]+(\.[\w-]+){4}\n$/, 'a JWE');
  await t.rejects(readSigningKey(file, other), { code: 'EDW_ERR_KEY_PASSPHRASE' });
  await t.rejects(readSigningKey(file, null), { code: 'EDW_ERR_KEY_PASSPHRASE' });
});

t.test('what another implementation of JOSE sealed is opened', async (t) => {
  // jose 6.2.17, CompactEncrypt
  const theirs =
    'eyJhbGciOiJQQkVTMi1IUzUxMitBMjU2S1ciLCJlbmMiOiJBMjU2R0NNIiwicDJjIjoxMDAwMDAsInAycyI6IjVXSTlka2g2dFAyYmFXLUt6Q1RQNHcifQ.uFvEn0v2sfUG84pPg3VsGIPEq-suP9-bTDilY3S9qHJ5jJIzuZR5zg.4puLrF-QYCzskGHM.WmMeoHjzgQuB.QWlmlb2rFVN0nfUj0sPNPA';
  t.equal(await unsealed(theirs, 'secret', 'x'), 'from jose');
  const [, ...rest] = theirs.split('.');
  for (const header of [
    { alg: 'PBES2-HS512+A256KW', enc: 'A256GCM', p2c: 1_000, p2s: '5WI9dkh6tP2baW-KzCTP4w' },
    { alg: 'dir', enc: 'A256GCM' },
    { alg: 'PBES2-HS512+A256KW', enc: 'A256GCM', p2c: 4_000_000_000, p2s: '5WI9dkh6tP2baW-KzCTP4w' },
  ]) {
    const text = [Buffer.from(JSON.stringify(header)).toString('base64url'), ...rest].join('.');
    await t.rejects(unsealed(text, 'secret', 'x'), { code: 'EDW_ERR_KEY_PASSPHRASE', message: /not sealed as/ });
  }
});

t.test('a folder becomes a store: keys that are closed, a root to pin, an authority, a configuration', async (t) => {
  const { store } = await makeStore(t);
  const files = readdirSync(store, { recursive: true, encoding: 'utf8' }).filter((it) =>
    statSync(join(store, it)).isFile(),
  );
  for (const file of files.filter((it) => /key|\.jwk$/.test(it)))
    t.equal(statSync(join(store, file)).mode & 0o777, 0o600, file);
  t.same(files.filter((it) => /^(root\.json|edgeward-store\.yaml|tls\/|authority\/|roots\/)/.test(it)).sort(), [
    'authority/authority-key.pem',
    'authority/authority.pem',
    'edgeward-store.yaml',
    'root.json',
    'roots/1.json',
    'tls/server-key.pem',
    'tls/server.pem',
    'tls/store-ca.pem',
  ]);
  t.match(new X509Certificate(readFileSync(join(store, 'tls/server.pem'))).subjectAltName, /DNS:localhost/);
  t.ok(existsSync(join(store, 'inventory')), 'and a folder for the inventory');
  t.match(await run(['store', 'init', store]), { code: 3 }, 'a store without people is none');
});

t.test('init prints the fingerprint that people compare, and the steps that follow', async (t) => {
  const dir = t.testdir();
  const at = (name: string): string => join(dir, name);
  for (const name of ['ada', 'ben']) await ok(['store', 'key', '--out', at(name)]);
  const people = ['--person', `ada:author,approver=${at('ada.pub')}`, '--person', `ben:approver=${at('ben.pub')}`];
  const two = [...people, '--approvals-with-risk', '1', '--host', 'store.example'];
  const rehearsed = await ok(['store', 'init', at('store'), ...two, '--dry-run']);
  t.match(rehearsed.out, /^would make a store in .*\n {2}ada {2}author, approver {2}[\w-]{16}\n/);
  t.notOk(existsSync(at('store')), 'a dry run writes nothing');
  const { out } = await ok(['store', 'init', at('store'), ...two]);
  const root = signedDocumentOf(JSON.parse(readFileSync(join(at('store'), 'root.json'), 'utf8')));
  t.match(out, `trust root 1, fingerprint ${digestOfPayload(root)}\n`);
  t.match(out, `  edgeward store serve --config ${join(at('store'), 'edgeward-store.yaml')}\n`);
  t.match(out, 'approvers beside the proposer: 1, with a risk 1; a new trust root: 2; break-glass up to 4 h\n');
  t.match(readFileSync(join(at('store'), 'edgeward-store.yaml'), 'utf8'), 'listen: 0.0.0.0:9443\n');
  t.match(await run(['store', 'init', at('store'), ...two]), {
    code: 78,
    err: /EDW_ERR_STORE_FOLDER: .*a store already/,
  });
});

t.test('people and thresholds that could not work are refused before anything is written', async (t) => {
  const dir = t.testdir();
  const at = (name: string): string => join(dir, name);
  for (const name of ['ada', 'ben']) await ok(['store', 'key', '--name', name, '--out', at(name)]);
  const [ada, ben] = [`ada:author=${at('ada.pub')}`, `ben:approver=${at('ben.pub')}`];
  const cases: [string, string[], number, RegExp][] = [
    ['one approver where two are asked', [ada, ben], 3, /EDW_ERR_ROOT_THRESHOLDS/],
    ['nobody', [], 3, /EDW_ERR_ROOT_THRESHOLDS/],
    ['an author without a key', ['ada:author'], 2, /ada is author and has no key/],
    ['an unknown role', [`ada:autor=${at('ada.pub')}`], 2, /unknown role 'autor'[\s\S]*Did you mean author\?/],
    ['a role twice', [`ada:author,author=${at('ada.pub')}`], 2, /names a role twice/],
    ['a person twice', [ada, ada], 2, /ada is named twice/],
    ['the key of another', [`ben:approver=${at('ada.pub')}`], 2, /says that it is of ada, not of ben/],
    ['a private key', [`ada:author=${at('ada')}`], 78, /EDW_ERR_KEY: .*it is the private one/],
    ['no key file', ['ada:author=nowhere'], 78, /EDW_ERR_KEY/],
    ['one key for two', [`ada:author=${at('ada.pub')}`, `bob:approver=${at('bob.pub')}`], 3, /EDW_ERR_ROOT_KEY_SHARED/],
    ['no person at all', ['=x'], 2, /'=x' is no person/],
  ];
  const { name: _, ...nameless } = JSON.parse(readFileSync(at('ada.pub'), 'utf8')) as Record<string, string>;
  writeFileSync(at('bob.pub'), JSON.stringify(nameless));
  for (const [what, given, code, says] of cases) {
    const said = await run(['store', 'init', at('store'), ...given.flatMap((person) => ['--person', person])]);
    t.match(said, { code, err: says }, what);
    t.notOk(existsSync(at('store')), `${what}: nothing is written`);
  }
  const one = ['--person', ada, '--person', ben, '--approvals-with-risk', '1', '--approvals-of-root', '1'];
  t.match(await run(['store', 'init', at('store'), ...one, '--break-glass-hours', '5']), {
    code: 3,
    err: /EDW_ERR_FORMAT_ROOT/,
  });
  t.match(await run(['store', 'init', at('store'), ...one, '--approvals', 'two']), { code: 2, err: /no whole number/ });
  mkdirSync(at('full'));
  writeFileSync(join(at('full'), 'x'), '');
  for (const dry of [[], ['--dry-run']])
    t.match(await run(['store', 'init', at('full'), ...one, ...dry]), { code: 78, err: /it is not empty: x/ });
});

t.test('certificates name whom they are asked for, and a profile comes along for a person', async (t) => {
  const { store, root } = await makeStore(t);
  const out = join(root, 'site');
  const said = await ok([
    'store',
    'certificate',
    store,
    '--point',
    'edge-1',
    '--point',
    'edge-2',
    '--out',
    out,
    '--json',
  ]);
  const [answer] = documentsIn(said.out) as [{ certFile: string; keyFile: string; profile: null; uris: string[] }];
  t.strictSame(answer.uris, ['urn:edgeward:point:edge-1', 'urn:edgeward:point:edge-2']);
  t.equal(answer.profile, null);
  t.match(
    new X509Certificate(readFileSync(answer.certFile)).subjectAltName,
    'URI:urn:edgeward:point:edge-1, URI:urn:edgeward:point:edge-2',
  );
  t.equal(statSync(answer.keyFile).mode & 0o777, 0o600);
  t.strictSame(readFileSync(join(out, 'root.json')), readFileSync(join(store, 'roots/1.json')));
  const profile = join(root, 'ada', 'store.yaml');
  const before = readFileSync(profile, 'utf8');
  await ok(['store', 'certificate', store, '--person', 'ada', '--out', join(root, 'ada')]);
  t.equal(readFileSync(profile, 'utf8'), before, 'a renewal leaves the profile');
  const key = ['--signing-key', 'dan.key', '--url', 'https://store.example:9443'];
  await ok(['store', 'certificate', store, '--person', 'dan', '--out', join(root, 'd'), ...key]);
  const text = readFileSync(join(root, 'd', 'store.yaml'), 'utf8');
  t.match(text, 'url: https://store.example:9443\ncertFile: dan.pem\nkeyFile: dan-key.pem\n');
  t.match(text, `signingKeyFile: ${join(process.cwd(), 'dan.key')}\n`, 'from anywhere');
  const dry = await ok(['store', 'certificate', store, '--person', 'dan', '--out', join(root, 'dan'), '--dry-run']);
  t.match(dry.out, /^would write .*dan\.pem/);
  t.notOk(existsSync(join(root, 'dan')));
  const cases: [string[], number, RegExp][] = [
    [['--person', 'ada', '--point', 'edge-1'], 2, /for one person, for points, or for the server/],
    [['--person', 'ada', '--person', 'ben'], 2, /for one person/],
    [[], 2, /for one person/],
    [['--server'], 2, /--server and --host belong together/],
    [['--person', 'a b'], 2, /'a b' is no name/],
    [['--person', 'ada', '--days', '99999'], 2, /EDW_ERR_CERTIFICATE_REQUEST/],
  ];
  for (const [args, code, says] of cases)
    t.match(await run(['store', 'certificate', store, ...args, '--out', out]), { code, err: says }, args.join(' '));
  t.match(
    await run(['store', 'certificate', root, '--person', 'ada', '--out', out]),
    { code: 78 },
    'no authority there',
  );
});

t.test('a profile says everything that is wrong with it, and options take its place', async (t) => {
  const { root, profile } = await makeStore(t);
  const missing = await run(['store', 'status', '--profile', join(root, 'nowhere.yaml')]);
  t.match(missing, { code: 78, err: /EDW_ERR_CONFIG_FILE: reading .*nowhere\.yaml/ });
  const none = await run(['store', 'status'], { env: { HOME: root } });
  t.match(none, {
    code: 2,
    err: /url, certFile, keyFile, caFile, rootFile[\s\S]*--url, --cert, --cert-key, --ca, --pinned-root/,
  });
  const cases: [string, number, RegExp][] = [
    ['url: http://store.example:9443\n', 78, /EDW_ERR_CONFIG: .*\n {2}.*url/],
    ['url: https://u:p@store.example\ncertfile: x\n', 78, /2 problems/],
    ['url: https://store.example/path\n', 78, /no more than a host and a port/],
    ['- x\n', 78, /EDW_ERR_CONFIG/],
    ['a: b: c\n', 78, /EDW_ERR_CONFIG_FILE/],
  ];
  for (const [text, code, says] of cases) {
    const file = join(root, 'bad.yaml');
    writeFileSync(file, text);
    t.match(await run(['store', 'status', '--profile', file]), { code, err: says }, text);
  }
  const at = (file: string): string => join(root, 'ada', file);
  const options = ['--cert', at('ada.pem'), '--cert-key', at('ada-key.pem'), '--ca', at('store-ca.pem')];
  const whole = ['store', 'status', '--url', 'https://127.0.0.1:1', '--pinned-root', at('root.json')];
  t.match(await run([...whole, ...options]), { code: 69, err: /EDW_ERR_STORE_UNREACHABLE/ }, 'options alone');
  const eve = ['--cert', join(root, 'eve', 'eve.pem')];
  const mixed = await run(['store', 'status', '--profile', profile('ada'), ...eve]);
  t.match(mixed, { code: 78, err: /EDW_ERR_STORE_CERTIFICATE: .*do not fit together/ }, 'an option beats the file');
});

t.test('whatever the store or these commands tell people to run exists', async (t) => {
  const known = new Set(store.commands.map(({ name }) => name));
  const folders = ['../../central-store/src', '../src/store'].map((it) => fileURLToPath(new URL(it, import.meta.url)));
  const named = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) => [
        ...readFileSync(join(folder, file), 'utf8').matchAll(/\bedgeward (store [a-z]+(?:-[a-z]+)*)/g),
      ])
      .map(([, name = '']) => name),
  );
  t.ok(named.length > 40, 'the sources were read');
  t.strictSame(
    named.filter((name) => !known.has(name)),
    [],
  );
});
