/** The key that policies of hosts are signed with, as a file of the state folder. */
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateSigningKey } from '@edgeward/policy-format';
import t, { type Test } from 'tap';
import { openSigningKey } from '../../src/hosts/signing.ts';

async function stateFolder(t: Test): Promise<{ folder: string; file: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-signing-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return { folder, file: join(folder, 'signing-key.json') };
}

t.test('it is made once, for nobody else to read, and is the same ever after', async (t) => {
  const { folder, file } = await stateFolder(t);
  const made = await openSigningKey(folder);
  t.equal((await stat(file)).mode & 0o777, 0o600);
  t.strictSame(await openSigningKey(folder), made);
});

t.test('one that can not be read is refused and left as it is: another would silence every host', async (t) => {
  const { folder, file } = await stateFolder(t);
  const [one, other] = [await generateSigningKey(), await generateSigningKey()];
  const whole = JSON.stringify(one.jwk);
  const refused = { code: 'EDW_ERR_HOST_SIGNING_KEY', message: new RegExp(`^reading ${file}: `), mend: /backup/ };
  const cases: [string, string][] = [
    ['half of it', whole.slice(0, whole.length / 2)],
    ['no JSON', 'edgeward'],
    ['nothing at all', 'null'],
    ['an object without a key', '{}'],
    ['the public half alone', JSON.stringify({ ...one.jwk, d: undefined })],
    ['halves of two keys', JSON.stringify({ ...one.jwk, x: other.jwk.x })],
    ['a key of another kind', JSON.stringify({ ...one.jwk, crv: 'X25519' })],
  ];
  for (const [name, text] of cases) {
    await writeFile(file, text, { mode: 0o600 });
    await t.rejects(openSigningKey(folder), refused, name);
    t.equal(await readFile(file, 'utf8'), text, `${name}: it stays`);
  }
  await writeFile(file, whole);
  await chmod(file, 0o644);
  await t.rejects(openSigningKey(folder), { code: 'EDW_ERR_SECRET_FILE' }, 'one that everybody may read');
  await chmod(file, 0o600);
  t.strictSame((await openSigningKey(folder)).publicKey, one.publicKey, 'from a backup it is the same key again');
});
