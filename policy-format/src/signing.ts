import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign as signBytes, verify } from 'node:crypto';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { canonicalJson, parseCanonical } from './canonical-json.ts';
import { type Digest, digestOf } from './digest.ts';
import type { GoodSignatures } from './good-signatures.ts';
import { LIMITS } from './limits.ts';
import { refused } from './refusal.ts';
import type { PublicKey } from './trust-root.ts';

/**
 * JWS in General JSON (RFC 7515), Ed25519 alone (RFC 9864). The payload is canonical JSON; the type of what is signed
 * stands in the protected header as well, so that no signature can be shown for something else.
 */
export interface SignedDocument {
  /** base64url of canonical JSON. */
  payload: string;
  signatures: { protected: string; signature: string }[];
}

/** A private key in memory. */
export interface SigningKey {
  kid: string;
  publicKey: PublicKey;
  /** As it is kept in a file: an OKP JWK with `d`. */
  jwk: JWK;
}

const ALGORITHM = 'Ed25519';
const HEADER_BYTES = 512;
/** Of a signature, and of a header. */
const SIGNATURE_CHARACTERS = 700;

export async function generateSigningKey(): Promise<SigningKey> {
  const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
  return signingKeyOf(await exportJWK(privateKey));
}

/** Throws EDW_ERR_KEY for what is no private Ed25519 key. */
export async function signingKeyOf(jwk: JWK): Promise<SigningKey> {
  if (jwk.kty !== 'OKP' || jwk.crv !== 'Ed25519' || typeof jwk.x !== 'string' || typeof jwk.d !== 'string')
    throw refused('EDW_ERR_KEY', 'the key is no private Ed25519 key in JWK form');
  if (publicPartOf(jwk) !== jwk.x)
    throw refused('EDW_ERR_KEY', 'the public part of the key is not that of its private part');
  const kid = keyIdOf(jwk.x);
  return { kid, publicKey: { kid, x: jwk.x }, jwk: { kty: 'OKP', crv: 'Ed25519', x: jwk.x, d: jwk.d } };
}

function publicPartOf(jwk: JWK): string | undefined {
  try {
    return createPublicKey(createPrivateKey({ key: { ...jwk }, format: 'jwk' })).export({ format: 'jwk' }).x;
  } catch (cause) {
    throw refused('EDW_ERR_KEY', 'the key is no private Ed25519 key in JWK form', cause);
  }
}

/** The beginning of the JWK thumbprint (RFC 7638), which hashes the canonical form of these three members. */
export function keyIdOf(x: string): string {
  const thumbprint = createHash('sha256').update(canonicalJson({ crv: 'Ed25519', kty: 'OKP', x }));
  return thumbprint.digest('base64url').slice(0, 16);
}

/** Adds a signature to a document, or begins one. `value.typ` names what it is. */
export async function sign(value: { typ: string }, keys: readonly SigningKey[]): Promise<SignedDocument> {
  const payload = Buffer.from(canonicalJson(value)).toString('base64url');
  return { payload, signatures: keys.map((key) => signatureBy(key, payload, value.typ)) };
}

/** The document with one more signature; the same document if this key has signed already. */
export async function addSignature(document: SignedDocument, typ: string, key: SigningKey): Promise<SignedDocument> {
  const added = signatureBy(key, document.payload, typ);
  // Compared whole: a bad signature that somebody put there under this key's id must not keep the good one out.
  if (document.signatures.some((it) => it.protected === added.protected && it.signature === added.signature))
    return document;
  return { payload: document.payload, signatures: [...document.signatures, added] };
}

/**
 * Signed and verified with keys that are read once: a store signs a head for each of its points, and reading a key costs
 * as much as signing with it.
 */
const privateKeys = new WeakMap<JWK, KeyObject>();
const publicKeys = new Map<string, KeyObject>();
/** Of people and stores there are few; what a hostile document names is never read. */
const MAX_PUBLIC_KEYS = 1_024;

function privateKeyOf({ jwk }: SigningKey): KeyObject {
  const known = privateKeys.get(jwk) ?? createPrivateKey({ key: { ...jwk }, format: 'jwk' });
  privateKeys.set(jwk, known);
  return known;
}

function publicKeyOf({ x }: PublicKey): KeyObject {
  const known = publicKeys.get(x);
  if (known !== undefined) return known;
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  if (publicKeys.size >= MAX_PUBLIC_KEYS) publicKeys.clear();
  publicKeys.set(x, key);
  return key;
}

/** What JWS signs (RFC 7515, section 5.1). */
function signingInput(header: string, payload: string): Buffer {
  return Buffer.from(`${header}.${payload}`, 'latin1');
}

function signatureBy(key: SigningKey, payload: string, typ: string): { protected: string; signature: string } {
  const header = Buffer.from(canonicalJson({ alg: ALGORITHM, kid: key.kid, typ })).toString('base64url');
  const signature = signBytes(null, signingInput(header, payload), privateKeyOf(key));
  return { protected: header, signature: signature.toString('base64url') };
}

/** The payload's canonical bytes; nothing of it is verified. Throws EDW_ERR_FORMAT_… */
function payloadBytes(document: SignedDocument, maxBytes: number): Uint8Array {
  if (document.payload.length > Math.ceil((maxBytes * 4) / 3))
    throw refused('EDW_ERR_FORMAT_TOO_LARGE', `a signed payload is larger than ${maxBytes} bytes`);
  return Buffer.from(document.payload, 'base64url');
}

/** What a version is called by: other signatures on it make no other version. */
export function digestOfPayload(document: SignedDocument): Digest {
  return digestOf(Buffer.from(document.payload, 'base64url'));
}

/** The payload as a value; nothing of it is verified. */
export function payloadOf(document: SignedDocument, what: string, maxBytes: number): unknown {
  return parseCanonical(payloadBytes(document, maxBytes), what, maxBytes);
}

/**
 * The document with its payload as the value that it is, for where each byte counts: base64url of hexadecimal digests does
 * not pack. The payload is canonical, so its signatures are over the same bytes. Nothing of it is verified.
 */
export function withOpenPayload(document: SignedDocument, what: string, maxBytes: number): OpenDocument {
  return { payload: payloadOf(document, what, maxBytes), signatures: document.signatures };
}

export interface OpenDocument {
  payload: unknown;
  signatures: SignedDocument['signatures'];
}

/**
 * What `withOpenPayload` made, as it is signed. Throws EDW_ERR_FORMAT_TOO_LARGE, and EDW_ERR_FORMAT_SIGNED for any other
 * shape.
 */
export function withEncodedPayload(value: unknown, what: string, maxBytes: number): SignedDocument {
  if (!hasExactly(value, ['payload', 'signatures'])) return signedDocumentOf(value);
  const bytes = Buffer.from(canonicalJson(value.payload));
  if (bytes.length > maxBytes)
    throw refused('EDW_ERR_FORMAT_TOO_LARGE', `${what} has ${bytes.length} bytes, more than ${maxBytes}`);
  return signedDocumentOf({ payload: bytes.toString('base64url'), signatures: value.signatures });
}

/**
 * Ids of the given keys whose signature over this document holds, each once. Signatures by other keys are nobody's: they
 * are passed over, and never make a good one bad. `signatures`: those that held before are not worked out again.
 */
export async function signersOf(
  document: SignedDocument,
  typ: string,
  keys: readonly PublicKey[],
  signatures?: GoodSignatures,
): Promise<Set<string>> {
  const known = new Map(keys.map((key) => [key.kid, key]));
  const digest = signatures === undefined ? null : digestOf(document.payload);
  const good = new Set<string>();
  for (const signature of document.signatures.slice(0, LIMITS.signatures)) {
    const kid = kidIn(signature.protected, typ);
    const key = kid === null ? undefined : known.get(kid);
    if (key === undefined || good.has(key.kid)) continue;
    // Everything that goes into a verification; a digest stands for the payload alone.
    const name = digest === null ? '' : `${key.x} ${signature.protected} ${signature.signature} ${digest}`;
    const isGood = signatures?.has(name) === true || holds(document.payload, signature, key);
    if (!isGood) continue;
    signatures?.add(name);
    good.add(key.kid);
  }
  return good;
}

function holds(payload: string, signature: { protected: string; signature: string }, key: PublicKey): boolean {
  try {
    const bytes = Buffer.from(signature.signature, 'base64url');
    return verify(null, signingInput(signature.protected, payload), publicKeyOf(key), bytes);
  } catch {
    return false;
  }
}

/** Exactly the three members, in canonical JSON; else null. */
function kidIn(header: string, typ: string): string | null {
  if (header.length > HEADER_BYTES) return null;
  try {
    const value = parseCanonical(Buffer.from(header, 'base64url'), 'a protected header', HEADER_BYTES);
    if (!hasExactly(value, ['alg', 'kid', 'typ'])) return null;
    const { alg, kid, typ: type } = value;
    return alg === ALGORITHM && type === typ && typeof kid === 'string' ? kid : null;
  } catch {
    return null;
  }
}

/** A signed document as it came. Throws EDW_ERR_FORMAT_SIGNED for any other shape. */
export function signedDocumentOf(value: unknown): SignedDocument {
  if (isSigned(value)) return value;
  throw refused(
    'EDW_ERR_FORMAT_SIGNED',
    'it is no signed document: payload, and signatures of protected and signature',
  );
}

function isSigned(value: unknown): value is SignedDocument {
  if (!hasExactly(value, ['payload', 'signatures'])) return false;
  const { payload, signatures } = value;
  if (typeof payload !== 'string' || !Array.isArray(signatures)) return false;
  if (signatures.length > LIMITS.signatures || !isBase64url(payload)) return false;
  return signatures.every(
    (it: unknown) =>
      hasExactly(it, ['protected', 'signature']) &&
      [it.protected, it.signature].every(
        (text) => typeof text === 'string' && text.length <= SIGNATURE_CHARACTERS && isBase64url(text),
      ),
  );
}

function hasExactly(value: unknown, keys: readonly string[]): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const own = Object.keys(value);
  return own.length === keys.length && keys.every((key) => Object.hasOwn(value, key));
}

/** Decoders pass over what is not base64url: two spellings of one signature would be two documents. */
function isBase64url(text: string): boolean {
  return Buffer.from(text, 'base64url').toString('base64url') === text;
}
