import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isName } from '@edgeward/policy-format';
import t from 'tap';
import { natsAccounts, natsLayout, pointPermissions, readNatsCredentials, storePermissions } from '../src/index.ts';

const { headSubject, hintSubject, inboxPrefix, pointOfToken, pointToken, reportSubject } = natsLayout;

t.test('a name is one token of a subject, and no two names meet', async (t) => {
  const names = ['edge-1', 'edge.1', 'edge_1', 'edge..1', 'a.', 'A', `x${'.'.repeat(62)}`, 'x'.repeat(63)];
  for (const name of names) {
    t.ok(isName(name), name);
    t.match(pointToken(name), /^[A-Za-z0-9][A-Za-z0-9_=-]*$/, name);
    t.equal(pointOfToken(pointToken(name)), name);
  }
  for (const subjectOf of [headSubject, hintSubject, reportSubject, inboxPrefix])
    t.equal(new Set(names.map(subjectOf)).size, names.length);
});

t.test('a point has no right whose subject does not name it, but to read roots and to hear the beat', async (t) => {
  const { publish, subscribe } = pointPermissions(['edge.1']);
  const others = [...publish, ...subscribe].filter((subject) => !subject.split(/[.]|_INBOX_/).includes('edge=1'));
  t.strictSame(others, ['$JS.API.DIRECT.GET.KV_edgeward_roots.$KV.edgeward_roots.root.*', 'edgeward.beat']);
  t.notOk(publish.some((subject) => /CONSUMER|STREAM/.test(subject)));
  t.strictSame(
    new Set(pointPermissions(['a', 'b']).publish),
    new Set([...pointPermissions(['a']).publish, ...pointPermissions(['b']).publish]),
    'a user of two points has the rights of both',
  );
});

t.test('the store may neither delete a stream nor hear anything but answers', async (t) => {
  const { publish, subscribe } = storePermissions();
  t.notOk(publish.some((subject) => /DELETE|^\$JS\.API\.>|^>/.test(subject)));
  t.strictSame(subscribe, ['_INBOX_edgeward_store.>']);
});

t.test('whatever a password holds stays in its quotes', async (t) => {
  const text = natsAccounts({
    store: { user: 'store', password: '"}]} accounts { EVIL {' },
    points: [{ login: { nkey: 'UAAA' }, points: ['edge-1'] }],
  });
  t.ok(text.includes('password: "\\"}]} accounts { EVIL {"'));
  t.ok(text.includes('{ nkey: "UAAA", permissions: {'));
});

t.test('credentials come from one closed file, in any of three forms', async (t) => {
  const folder = t.testdir();
  const file = join(folder, 'credentials');
  const creds = '-----BEGIN NATS USER JWT-----\nx\n------END NATS USER JWT------\n';
  const seed = `SU${'A'.repeat(56)}`;
  for (const [text, wanted] of [
    ['edge-1:pass:word\n', { kind: 'password', user: 'edge-1', password: 'pass:word' }],
    [`${seed}\n`, { kind: 'nkey', seed }],
    [creds, { kind: 'creds', text: creds.trim() }],
  ] as const) {
    await writeFile(file, text, { mode: 0o600 });
    t.strictSame(await readNatsCredentials(file), wanted);
  }
  for (const text of ['s3cret', ':s3cret', 's3cret:', 'a:s3cret\nb:s3cret', `${seed.slice(0, 40)}`]) {
    await writeFile(file, text);
    const wanted = { code: 'EDW_ERR_NATS_CREDENTIALS', message: /^(?!.*(s3cret|AAAA)).*$/s, mend: /user:password/ };
    await t.rejects(readNatsCredentials(file), wanted, text);
  }
  await chmod(file, 0o644);
  await t.rejects(readNatsCredentials(file), { code: 'EDW_ERR_SECRET_FILE' });
});
