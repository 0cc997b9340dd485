import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';

/**
 * That whoever asks for a certificate has the private key it is for. EC P-256 and SHA-256, as `r || s` in base64url, over a
 * text that says what it is good for: a proof for one thing proves no other.
 */
export function proofFor(statement: string, privateKey: KeyObject): string {
  return sign('sha256', Buffer.from(statement), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url');
}

/** False as well for a key of another kind, and for what is no key. */
export function isProof(proof: string, statement: string, publicKeyPem: string): boolean {
  try {
    const key = p256KeyOf(publicKeyPem);
    const signature = Buffer.from(proof, 'base64url');
    return key !== null && verify('sha256', Buffer.from(statement), { key, dsaEncoding: 'ieee-p1363' }, signature);
  } catch {
    return false;
  }
}

/** What the holder of a one-time secret signs. Throws for what is no public key. */
export function enrolmentStatement(secret: string, publicKeyPem: string): string {
  return `edgeward-enrol\n${secret}\n${spkiBase64(publicKeyPem)}`;
}

/** What the holder of a certificate signs to have the next one. Throws for what is no public key. */
export function renewalStatement(point: string, publicKeyPem: string): string {
  return `edgeward-renew\n${point}\n${spkiBase64(publicKeyPem)}`;
}

function p256KeyOf(pem: string): KeyObject | null {
  const key = createPublicKey(pem);
  return key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : null;
}

/** Of the key itself, so that no other spelling of the PEM is another statement. */
function spkiBase64(pem: string): string {
  return createPublicKey(pem).export({ type: 'spki', format: 'der' }).toString('base64');
}
