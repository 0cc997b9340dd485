/**
 * A private key under a passphrase: JWE in its compact form (RFC 7516), PBES2-HS512+A256KW and A256GCM (RFC 7518), so that
 * any JOSE tool opens it. Nothing else is opened here; the header says how much work a guess costs, and little is refused.
 */
import { createCipheriv, createDecipheriv, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { EdgewardError } from '@edgeward/runtime';

const ALGORITHM = 'PBES2-HS512+A256KW';
const ENCRYPTION = 'A256GCM';
/** OWASP's figure of 2023 for PBKDF2 with SHA-512 is 210,000. */
const ROUNDS = 600_000;
const MIN_ROUNDS = 100_000;
const MAX_ROUNDS = 10_000_000;
const WRAP_IV = Buffer.alloc(8, 0xa6);
const TAG_BYTES = 16;

const derive = promisify(pbkdf2);

export function isSealed(text: string): boolean {
  return /^[\w-]+(?:\.[\w-]+){4}$/.test(text.trim());
}

export async function sealed(text: string, passphrase: string): Promise<string> {
  const salt = randomBytes(16);
  const header = encoded(
    Buffer.from(
      JSON.stringify({
        alg: ALGORITHM,
        enc: ENCRYPTION,
        cty: 'jwk+json',
        p2s: encoded(salt),
        p2c: ROUNDS,
      }),
    ),
  );
  const contentKey = randomBytes(32);
  const wrap = createCipheriv('id-aes256-wrap', await keyFrom(passphrase, salt, ROUNDS), WRAP_IV);
  const wrapped = Buffer.concat([wrap.update(contentKey), wrap.final()]);
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', contentKey, iv, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(header));
  const content = Buffer.concat([cipher.update(text), cipher.final()]);
  return [header, ...[wrapped, iv, content, cipher.getAuthTag()].map(encoded)].join('.');
}

/** Throws EDW_ERR_KEY_PASSPHRASE for another passphrase, and for what was sealed in another way. */
export async function unsealed(text: string, passphrase: string, path: string): Promise<string> {
  const [header = '', wrapped = '', iv = '', content = '', tag = ''] = text.trim().split('.');
  const { salt, rounds } = headerOf(header, path);
  try {
    const unwrap = createDecipheriv('id-aes256-wrap', await keyFrom(passphrase, salt, rounds), WRAP_IV);
    const contentKey = Buffer.concat([unwrap.update(bytesOf(wrapped)), unwrap.final()]);
    const decipher = createDecipheriv('aes-256-gcm', contentKey, bytesOf(iv), { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(header));
    decipher.setAuthTag(bytesOf(tag));
    return Buffer.concat([decipher.update(bytesOf(content)), decipher.final()]).toString('utf8');
  } catch {
    throw passphraseError(`opening the key in ${path}: the passphrase does not fit, or the file was changed`);
  }
}

function headerOf(header: string, path: string): { salt: Buffer; rounds: number } {
  let found: Record<string, unknown> = {};
  try {
    found = JSON.parse(bytesOf(header).toString('utf8')) as Record<string, unknown>;
  } catch {
    // Told below: nothing of it fits.
  }
  const { alg, enc, p2s, p2c } = found;
  const rounds = Number(p2c);
  const fits = alg === ALGORITHM && enc === ENCRYPTION && typeof p2s === 'string';
  if (!fits || !Number.isInteger(rounds) || rounds < MIN_ROUNDS || rounds > MAX_ROUNDS)
    throw passphraseError(`opening the key in ${path}: it is not sealed as ${ALGORITHM} with ${ENCRYPTION}`);
  return { salt: bytesOf(p2s), rounds };
}

/** RFC 7518, section 4.8.1.1: the algorithm is part of the salt. */
function keyFrom(passphrase: string, salt: Uint8Array, rounds: number): Promise<Buffer> {
  return derive(passphrase, Buffer.concat([Buffer.from(`${ALGORITHM}\0`), salt]), rounds, 32, 'sha512');
}

function encoded(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'base64url');
}

export function passphraseError(message: string): EdgewardError {
  return new EdgewardError('EDW_ERR_KEY_PASSPHRASE', message, {
    mend: 'Name the file with the passphrase by --passphrase-file, or as passphraseFile in the profile.',
  });
}
