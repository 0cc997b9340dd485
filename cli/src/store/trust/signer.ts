/** The key that a person signs with, once it is sure that the trust root knows it as theirs. */
import { keysOf, type SigningKey, type TrustRoot } from '@edgeward/policy-format';
import { usageError } from '../../frame/usage-error.ts';
import { readSigningKey } from '../keys/signing-key-file.ts';
import type { StoreSession } from '../store-session.ts';
import { distrust } from './distrust.ts';

/** `coming`: a trust root that is to be signed by those of it too. Throws EDW_ERR_STORE_SIGNER, EDW_ERR_USAGE, EDW_ERR_KEY. */
export async function ownKey(
  { profile, person }: Pick<StoreSession, 'profile' | 'person'>,
  roots: readonly TrustRoot[],
  command: string,
): Promise<SigningKey> {
  const { signingKeyFile, passphraseFile } = profile;
  if (signingKeyFile === null)
    throw usageError('there is no key to sign with', command, 'Name it by --signing-key, or in the profile.');
  const key = await readSigningKey(signingKeyFile, passphraseFile);
  if (roots.some((root) => keysOf(root, person).some(({ kid }) => kid === key.kid))) return key;
  throw distrust(
    'EDW_ERR_STORE_SIGNER',
    `signing as ${person}: the trust root does not list the key ${key.kid} of ${signingKeyFile} as theirs`,
  );
}
