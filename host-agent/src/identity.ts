/**
 * Who this host is for the sync service: a key that was made here and never leaves, the certificate that goes with it, whom to
 * believe, and where the service is. One file, so that a renewal switches all of it or nothing.
 */
import { createHash, createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import type { PublicKey } from '@edgeward/policy-format';
import { EdgewardError, messageOf, readSecret, systemCodeOf, writeDurably } from '@edgeward/runtime';
import { type EnrolmentAnswer, proofFor } from '../protocol/index.ts';

export interface Identity {
  v: 1;
  point: string;
  /** PEM, PKCS #8, EC P-256. */
  key: string;
  /** PEM. */
  certificate: string;
  /** PEM: the authority that the service's certificate and ours are of. */
  authority: string;
  /** Of the service: what signs policies. */
  signingKeys: PublicKey[];
  /** Of the services before it, the newest first: what this host has from them is read back, and nothing new is believed. */
  formerKeys: PublicKey[];
  /** Addresses of its listener for hosts. */
  service: string[];
}

export interface NewKey {
  /** PEM, PKCS #8. */
  key: string;
  /** PEM, SPKI. */
  publicKey: string;
  /** That whoever shows this public key has the private one. */
  prove(statement: string): string;
}

export function newKey(): NewKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    prove: (statement) => proofFor(statement, privateKey),
  };
}

const FILE = 'identity.json';
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----/;

/** Null where the host was never enrolled. Throws EDW_ERR_HOST_IDENTITY for one that can't be used. */
export async function readIdentity(stateDir: string): Promise<Identity | null> {
  const path = join(stateDir, FILE);
  try {
    return identityOf(JSON.parse(await readSecret(path)));
  } catch (thrown) {
    if (thrown instanceof EdgewardError && systemCodeOf(thrown.cause) === 'ENOENT') return null;
    throw identityError(`reading ${path}: ${messageOf(thrown)}`, thrown);
  }
}

/** What was there before stays whole until the new one is. Throws EDW_ERR_STATE_WRITE. */
export async function writeIdentity(stateDir: string, identity: Identity): Promise<void> {
  await writeDurably(join(stateDir, FILE), `${JSON.stringify(identityOf(identity))}\n`);
}

function identityOf(value: unknown): Identity {
  const found = (typeof value === 'object' && value !== null ? value : {}) as Partial<Identity>;
  const { v, point, key, certificate, authority, signingKeys, service } = found;
  if (v !== 1 || typeof point !== 'string' || typeof key !== 'string') throw new Error('it is no identity of a host');
  if (typeof certificate !== 'string' || typeof authority !== 'string' || !PEM_CERTIFICATE.test(authority))
    throw new Error('a certificate is missing');
  if (!isTexts(service) || service.length === 0) throw new Error('it names no service');
  if (!Array.isArray(signingKeys) || signingKeys.length === 0) throw new Error('it names no key that signs policies');
  if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key)))
    throw new Error('the certificate is not that of the key');
  // An identity of an earlier version has none.
  const formerKeys = Array.isArray(found.formerKeys) ? found.formerKeys : [];
  return { v, point, key, certificate, authority, signingKeys, formerKeys, service };
}

/** Of what the service answered to our key. */
export function identityFrom(answer: EnrolmentAnswer, key: string): Identity {
  try {
    return identityOf({ ...answer, key, formerKeys: [] });
  } catch (thrown) {
    throw identityError(`reading what the service issued: ${messageOf(thrown)}`, thrown);
  }
}

const MOST_FORMER_KEYS = 16;

/** What the host has in force under `before` outlives it: until there is a newer policy, a reboot has nothing else. */
export function succeeding(identity: Identity, before: Identity | null): Identity {
  if (before === null || before.point !== identity.point) return identity;
  const named = new Set(identity.signingKeys.map(({ x }) => x));
  const former = [...before.signingKeys, ...before.formerKeys].filter(({ x }) => !named.has(x));
  return { ...identity, formerKeys: former.slice(0, MOST_FORMER_KEYS) };
}

/** Whom what lies on this host is believed of. Of what is offered `signingKeys` alone are. */
export function keysOfKept({ signingKeys, formerKeys }: Identity): PublicKey[] {
  return [...signingKeys, ...formerKeys];
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

/** From 2/3 of its time on a certificate is renewed: a third is left for a service that is away. */
export function renewAtMs(certificate: string): number {
  const { validFromDate, validToDate } = new X509Certificate(certificate);
  const [from, to] = [validFromDate.getTime(), validToDate.getTime()];
  return from + ((to - from) * 2) / 3;
}

/** ISO. */
export function endOf(certificate: string): string {
  return new X509Certificate(certificate).validToDate.toISOString();
}

/** Hex sha256 of a certificate's DER, as an invite names the authority. */
export function fingerprintOf(certificate: string): string {
  return createHash('sha256').update(new X509Certificate(certificate).raw).digest('hex');
}

function identityError(doing: string, cause?: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_HOST_IDENTITY', doing, {
    mend: 'Enrol the host again: `edgeward hosts invite NAME` where the service runs, then `edgeward agent enrol INVITE` here.',
    cause,
  });
}
