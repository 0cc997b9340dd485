import { createPublicKey, type KeyObject } from 'node:crypto';
import { EdgewardError } from '@edgeward/runtime';

/**
 * A public key that somebody else sent, to be certified: one block of PEM, EC P-256, and nothing beside it. The private
 * key never comes here. Whether the sender has it is for whoever knows what they signed to say.
 */

/** A P-256 key in PEM has 178 characters. */
const MAX_PEM = 512;
const SPKI_PEM = /^-----BEGIN PUBLIC KEY-----\r?\n[A-Za-z0-9+/=\r\n]+-----END PUBLIC KEY-----\r?\n?$/;

/** Throws EDW_ERR_CERTIFICATE_KEY. */
export function publicKeyOf(pem: string): KeyObject {
  // Node would read a private key or a certificate here too, and take the public key out of it.
  if (pem.length > MAX_PEM || !SPKI_PEM.test(pem)) throw keyError('it is no public key in PEM');
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (cause) {
    throw keyError('it can not be read', cause);
  }
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw keyError('it is not of EC P-256');
  return key;
}

function keyError(problem: string, cause?: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_CERTIFICATE_KEY', `reading a public key to be certified: ${problem}`, {
    mend: 'Send one key of EC P-256 as SPKI in PEM.',
    ...(cause === undefined ? {} : { cause }),
  });
}
