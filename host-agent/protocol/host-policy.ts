import { createHash, type Hash } from 'node:crypto';
import type { CompiledPolicy } from '@edgeward/policy';
import {
  canonicalJson,
  type Digest,
  digestOf,
  type PublicKey,
  payloadOf,
  type SignedDocument,
  type SigningKey,
  sign,
  signedDocumentOf,
  signersOf,
} from '@edgeward/policy-format';
import { EdgewardError, messageOf } from '@edgeward/runtime';
import * as z from 'zod';
import { countField, hashField, instantField, nameField, readAs, valueIn } from './fields.ts';
import { compiledPolicySchema } from './policy-schema.ts';

/**
 * A compiled policy as a host takes it over. First line: a `SignedDocument` of the head; after it the policy as JSON, whose
 * digest the head names. What opens it believes nothing before the signature holds, and nothing that is for another host
 * or older than what this host had. No clock is asked: a host that was away for a year takes what its service signed.
 */
export interface HostPolicyHead {
  typ: 'edgeward-host-policy+json';
  v: 1;
  /** The point. */
  aud: string;
  revision: number;
  issuedAt: string;
  /** `hash` of the policy. */
  policyHash: string;
  /** Of the bytes of the policy as they are here. */
  policyDigest: Digest;
  policyBytes: number;
}

/** What a host had: nothing below it is taken over. */
export interface PolicyFloor {
  revision: number;
  hash: string;
  /**
   * Of its head. With a central store a policy keeps its number when time ends something in it: the later one of two under
   * one number is believed, and without this neither is.
   */
  issuedAt?: string;
}

export interface ExpectedPolicy {
  aud: string;
  keys: readonly PublicKey[];
  floor: PolicyFloor | null;
}

const TYPE = 'edgeward-host-policy+json';
const MAX_HEAD_LINE_BYTES = 16 * 1024;
const MAX_HEAD_BYTES = 4 * 1024;
/** Of head and policy together. A million members take about 40 MiB. */
export const MAX_HOST_POLICY_BYTES: number = 256 * 1024 * 1024;

const headSchema: z.ZodType<HostPolicyHead> = z.strictObject({
  typ: z.literal(TYPE),
  v: z.literal(1),
  aud: nameField,
  revision: countField,
  issuedAt: instantField,
  policyHash: hashField,
  policyDigest: hashField,
  policyBytes: countField,
});

/**
 * What of a policy's bytes does not hang on its number, which stands last: where only the number moved, nothing is written or
 * hashed again.
 */
export interface PolicyFront {
  /** `hash` of the policy. */
  hash: string;
  bytes: number;
  /** Over these bytes; it goes on from here with whatever number follows. */
  digest: Hash;
}

export interface WrittenPolicy {
  text: Buffer;
  front: PolicyFront;
}

export function writeHostPolicy({ revision: _, ...rest }: CompiledPolicy): WrittenPolicy {
  const text = Buffer.from(JSON.stringify(rest).slice(0, -1));
  return { text, front: { hash: rest.hash, bytes: text.length, digest: createHash('sha256').update(text) } };
}

function numberText(revision: number): string {
  return `,"revision":${revision}}`;
}

/** The head alone, with the end of its line. `issuedAt` as `Date.toISOString` writes it. */
export async function signHostPolicyHead(
  { point, revision, hash }: Pick<CompiledPolicy, 'point' | 'revision' | 'hash'>,
  front: PolicyFront,
  issuedAt: string,
  key: SigningKey,
): Promise<Buffer> {
  const number = numberText(revision);
  const head: HostPolicyHead = {
    typ: TYPE,
    v: 1,
    aud: point,
    revision,
    issuedAt,
    policyHash: hash,
    policyDigest: front.digest.copy().update(number).digest('hex'),
    policyBytes: front.bytes + number.length,
  };
  return Buffer.from(`${canonicalJson(await sign(head, [key]))}\n`);
}

export async function signHostPolicy(
  policy: CompiledPolicy,
  issuedAt: string,
  key: SigningKey,
  { text, front }: WrittenPolicy = writeHostPolicy(policy),
): Promise<Uint8Array> {
  const head = await signHostPolicyHead(policy, front, issuedAt, key);
  return Buffer.concat([head, text, Buffer.from(numberText(policy.revision))]);
}

/**
 * The whole of what a service sent the head of alone, made from the same policy under another number, as it came once and was
 * kept. Null where that is not what was signed: then the whole of it has to come. What is made is opened like anything else.
 */
export async function completeHostPolicy(
  head: Uint8Array,
  keys: readonly PublicKey[],
  kept: (hash: string) => Promise<Uint8Array | null>,
): Promise<Uint8Array | null> {
  const signed = await headAlone(head, keys);
  const found = signed === null ? null : await kept(signed.policyHash);
  const front = found === null ? null : frontIn(found);
  if (signed === null || front === null) return null;
  const body = Buffer.concat([front, Buffer.from(numberText(signed.revision))]);
  if (body.length !== signed.policyBytes || digestOf(body) !== signed.policyDigest) return null;
  return Buffer.concat([head, body]);
}

async function headAlone(bytes: Uint8Array, keys: readonly PublicKey[]): Promise<HostPolicyHead | null> {
  try {
    const { line, body } = partsOf(bytes);
    return body.length === 0 ? await verifiedHead(line, keys) : null;
  } catch {
    return null; // what is wrong with it is told of the whole, if it is so there
  }
}

const NUMBER_AT_THE_END = /,"revision":\d{1,16}\}$/;

/** Null for what `signHostPolicy` did not write like that. */
function frontIn(kept: Uint8Array): Buffer | null {
  const bytes = Buffer.from(kept.buffer, kept.byteOffset, kept.byteLength);
  const end = bytes.subarray(0, MAX_HEAD_LINE_BYTES).indexOf(0x0a);
  const number = NUMBER_AT_THE_END.exec(bytes.subarray(-40).toString('latin1'))?.[0];
  return end < 0 || number === undefined ? null : bytes.subarray(end + 1, bytes.length - number.length);
}

/**
 * Throws EDW_ERR_HOST_POLICY_UNREADABLE, EDW_ERR_HOST_POLICY_SIGNATURE, EDW_ERR_HOST_POLICY_AUDIENCE and
 * EDW_ERR_HOST_POLICY_OLDER: a revision below the floor, or the floor's with another hash that was not issued later.
 */
export async function openHostPolicy(
  bytes: Uint8Array,
  expected: ExpectedPolicy,
): Promise<{ head: HostPolicyHead; policy: CompiledPolicy }> {
  const { line, body } = partsOf(bytes);
  const head = await verifiedHead(line, expected.keys);
  if (head.aud !== expected.aud) throw forAnother(head.aud, expected.aud);
  if (body.length !== head.policyBytes || digestOf(body) !== head.policyDigest)
    throw notSigned('its bytes are not those that were signed');
  checkFloor(head, expected.floor);
  return { head, policy: policyIn(body, head) };
}

/** Only its head: for this host, by whom it trusts, not below the floor. Throws as `openHostPolicy` does. */
export async function hostPolicyHead(bytes: Uint8Array, { aud, keys, floor }: ExpectedPolicy): Promise<HostPolicyHead> {
  const head = await verifiedHead(partsOf(bytes).line, keys);
  if (head.aud !== aud) throw forAnother(head.aud, aud);
  checkFloor(head, floor);
  return head;
}

/** Whether what was signed is this policy, to the byte: a hash that somebody wrote into it says nothing. */
export function isSignedPolicy(head: HostPolicyHead, policy: CompiledPolicy): boolean {
  if (policy.revision !== head.revision || policy.hash !== head.policyHash) return false;
  const { front } = writeHostPolicy(policy);
  return front.digest.update(numberText(policy.revision)).digest('hex') === head.policyDigest;
}

function partsOf(bytes: Uint8Array): { line: Buffer; body: Buffer } {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length > MAX_HOST_POLICY_BYTES) throw unreadable(`it has ${buffer.length} bytes`);
  const end = buffer.subarray(0, MAX_HEAD_LINE_BYTES).indexOf(0x0a);
  if (end < 0) throw unreadable('it does not begin with the line of its head');
  return { line: buffer.subarray(0, end), body: buffer.subarray(end + 1) };
}

async function verifiedHead(line: Buffer, keys: readonly PublicKey[]): Promise<HostPolicyHead> {
  const document = documentIn(line);
  // First the signature: nothing that a stranger wrote is looked at any further.
  if ((await signersOf(document, TYPE, keys)).size === 0) throw notSigned('no key that this host trusts has signed it');
  return readAs(headSchema, payloadIn(document), { ...UNREADABLE, what: 'the head of a policy' });
}

function documentIn(line: Buffer): SignedDocument {
  try {
    return signedDocumentOf(valueIn(line.toString('utf8')));
  } catch (cause) {
    throw unreadable(messageOf(cause), cause);
  }
}

function payloadIn(document: SignedDocument): unknown {
  try {
    return payloadOf(document, 'the head', MAX_HEAD_BYTES);
  } catch (cause) {
    throw unreadable(messageOf(cause), cause);
  }
}

function checkFloor(head: HostPolicyHead, floor: PolicyFloor | null): void {
  if (floor === null || head.revision > floor.revision) return;
  const isSame = head.policyHash === floor.hash;
  const isLater = floor.issuedAt !== undefined && head.issuedAt > floor.issuedAt;
  if (head.revision === floor.revision && (isSame || isLater)) return;
  const had = head.revision === floor.revision ? 'another policy of the same number' : `revision ${floor.revision}`;
  throw new EdgewardError(
    'EDW_ERR_HOST_POLICY_OLDER',
    `taking over revision ${head.revision} of ${head.aud}: this host had ${had} already`,
    {
      mend: 'What is in force stays. If the service was set back to a backup, publish a policy again until its revision is above that of the host; if not, somebody replays an old policy.',
    },
  );
}

function policyIn(body: Buffer, head: HostPolicyHead): CompiledPolicy {
  const value = valueIn(body.toString('utf8'));
  readAs(compiledPolicySchema, value, { ...UNREADABLE, what: 'a policy from the service' });
  const policy = value as CompiledPolicy;
  if (policy.point !== head.aud || policy.revision !== head.revision || policy.hash !== head.policyHash)
    throw unreadable('the head names another policy than the one that follows it');
  return policy;
}

const UNREADABLE = {
  code: 'EDW_ERR_HOST_POLICY_UNREADABLE',
  mend: 'What is in force stays. Run the same version of Edgeward at the service and on this host; if it is, look at what stands between them.',
};

function unreadable(why: string, cause?: unknown): EdgewardError {
  const message = `reading a policy from the service: ${why}`;
  return new EdgewardError(UNREADABLE.code, message, {
    mend: UNREADABLE.mend,
    ...(cause === undefined ? {} : { cause }),
  });
}

function notSigned(why: string): EdgewardError {
  return new EdgewardError('EDW_ERR_HOST_POLICY_SIGNATURE', `reading a policy from the service: ${why}`, {
    mend: 'What is in force stays. If the state directory of the service was made anew, enrol this host again; if not, look at what stands between the service and this host.',
  });
}

function forAnother(aud: string, own: string): EdgewardError {
  return new EdgewardError('EDW_ERR_HOST_POLICY_AUDIENCE', `reading a policy for ${own}: it is for ${aud}`, {
    mend: 'What is in force stays. Enrol this host under its own name: it was given what is meant for another.',
  });
}
