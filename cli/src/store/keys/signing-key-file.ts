/**
 * A person's key pair as files: the private part, closed to others and sealed where a passphrase is given, and beside it
 * `FILE.pub`, which may go anywhere. The private part is on no command line, in no environment and in no message.
 */
import { readFile } from 'node:fs/promises';
import { isName, keyIdOf, type PublicKey, type SigningKey, signingKeyOf } from '@edgeward/policy-format';
import { EdgewardError, messageOf, readSecret } from '@edgeward/runtime';
import * as z from 'zod';
import { writeNew } from '../new-file.ts';
import { isSealed, passphraseError, sealed, unsealed } from './sealed-key.ts';

export interface PublicKeyFile extends PublicKey {
  /** Whose it is, as its holder says. */
  name?: string | undefined;
}

/** Throws EDW_ERR_SECRET_FILE, EDW_ERR_KEY, EDW_ERR_KEY_PASSPHRASE. */
export async function readSigningKey(path: string, passphraseFile: string | null): Promise<SigningKey> {
  const text = await readSecret(path);
  if (!isSealed(text)) return await signingKeyOf(jwkOf(text, path));
  if (passphraseFile === null) throw passphraseError(`opening the key in ${path}: it is sealed with a passphrase`);
  return await signingKeyOf(jwkOf(await unsealed(text, await readSecret(passphraseFile), path), path));
}

/** Both files, made and never replaced. Throws EDW_ERR_OUT_FILE. */
export async function writeKeyFiles(
  path: string,
  key: SigningKey,
  { name, passphrase }: { name: string | null; passphrase: string | null },
): Promise<void> {
  const jwk = JSON.stringify(key.jwk);
  const text = passphrase === null ? jwk : await sealed(jwk, passphrase);
  const shown: PublicKeyFile = { ...(name === null ? {} : { name }), ...key.publicKey };
  await writeNew(path, `${text}\n`, 0o600);
  await writeNew(`${path}.pub`, `${JSON.stringify(shown)}\n`, 0o644);
}

const publicKeyFile: z.ZodType<PublicKeyFile> = z.strictObject({
  name: z.string().refine(isName).optional(),
  kid: z.string(),
  x: z.string().regex(/^[\w-]{43}$/),
});

/** Throws EDW_ERR_KEY. */
export async function readPublicKey(path: string): Promise<PublicKeyFile> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw keyError(`reading the public key in ${path}: ${messageOf(cause)}`, cause);
  }
  if (typeof value === 'object' && value !== null && 'd' in value)
    throw keyError(`reading the public key in ${path}: it is the private one`);
  const read = publicKeyFile.safeParse(value);
  if (!read.success || keyIdOf(read.data.x) !== read.data.kid)
    throw keyError(`reading the public key in ${path}: it is none that \`edgeward store key\` writes`);
  return read.data;
}

function jwkOf(text: string, path: string): Parameters<typeof signingKeyOf>[0] {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // The parser's own message quotes what it could not read, and that may be a key.
  }
  throw keyError(`reading the key in ${path}: it is no JWK`);
}

function keyError(message: string, cause?: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_KEY', message, {
    mend: 'Name a file that `edgeward store key` made: the private one to sign with, FILE.pub for others.',
    ...(cause === undefined ? {} : { cause }),
  });
}
