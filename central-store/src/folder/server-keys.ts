import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  generateSigningKey,
  type PublicKey,
  type SigningKey,
  signingKeyOf,
  type TrustRoot,
} from '@edgeward/policy-format';
import { EdgewardError, makeFolder, readSecret, systemCodeOf, writeDurably } from '@edgeward/runtime';

/**
 * The keys that only the store has, `keys/store-KID.jwk` and `keys/log-KID.jwk`, closed to others. The trust root says
 * which of them count: a new one lies here before people sign the root that names it.
 */
export type KeyUse = 'store' | 'log';

/** A new key on disk; it counts from the trust root on that lists it. */
export async function newServerKey(dir: string, use: KeyUse): Promise<PublicKey> {
  const folder = join(dir, 'keys');
  await makeFolder(folder);
  const key = await generateSigningKey();
  await writeDurably(join(folder, `${use}-${key.kid}.jwk`), `${JSON.stringify(key.jwk)}\n`);
  return key.publicKey;
}

/** The key that this root lists, of several the first that it names. Throws EDW_ERR_STORE_KEY. */
export async function serverKey(dir: string, use: KeyUse, root: TrustRoot): Promise<SigningKey> {
  const listed = use === 'store' ? root.storeKeys : root.logKeys;
  const names = await keyNames(dir, use);
  const kid = listed.map((key) => key.kid).find((it) => names.includes(`${use}-${it}.jwk`));
  if (kid === undefined) throw noKey(dir, use, root.version);
  const text = await readSecret(join(dir, 'keys', `${use}-${kid}.jwk`));
  const key = await signingKeyOf(JSON.parse(text));
  if (key.kid !== kid) throw noKey(dir, use, root.version);
  return key;
}

async function keyNames(dir: string, use: KeyUse): Promise<string[]> {
  const names = await readdir(join(dir, 'keys')).catch((thrown: unknown) => {
    if (systemCodeOf(thrown) === 'ENOENT') return [];
    throw thrown;
  });
  return names.filter((name) => name.startsWith(`${use}-`));
}

function noKey(dir: string, use: KeyUse, version: number): EdgewardError {
  return new EdgewardError(
    'EDW_ERR_STORE_KEY',
    `opening the store in ${dir}: it has no ${use} key that version ${version} of the trust root lists`,
    {
      mend: 'Bring the key back from a backup, or let people sign a trust root that lists a new one (docs/runbook.md).',
    },
  );
}
