/** Keys that everybody can make: for tests, and for vectors that are the same bytes every time they are written. */
import { createHash, createPrivateKey } from 'node:crypto';
import { type SigningKey, signingKeyOf } from '@edgeward/policy-format';

/** PKCS #8 of an Ed25519 key (RFC 8410), up to the 32 bytes of the key. */
const PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

export async function seededKey(seed: string): Promise<SigningKey> {
  const secret = createHash('sha256').update(`edgeward test key ${seed}`).digest();
  const key = createPrivateKey({ key: Buffer.concat([PREFIX, secret]), format: 'der', type: 'pkcs8' });
  return signingKeyOf({ ...key.export({ format: 'jwk' }) });
}
