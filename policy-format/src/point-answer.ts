/**
 * The answer to a point's question, as it travels: a delta without what whoever asked holds already. What heads of a point
 * seldom differ in (rules, approval, who signs) is left out where the question names the same by its tag, and put back from
 * the head that is held; the signature is over all of it, so a wrong guess is no more believed than a wrong byte. What a
 * head names anew may come along: then nothing has to be fetched.
 */
import { canonicalJson, parseCanonical } from './canonical-json.ts';
import { type Cursor, type Delta, type DeltaOperation, deltaOf } from './delta.ts';
import { type Digest, digestOf } from './digest.ts';
import type { Head } from './head.ts';
import { LIMITS } from './limits.ts';
import { refused } from './refusal.ts';
import { type SignedDocument, withEncodedPayload } from './signing.ts';

/** A head, and the document that it was read from. */
export interface SignedHead {
  head: Head;
  signed: SignedDocument;
}

export interface Answer {
  delta: Delta;
  /** By the digest of what came; that a head names it is for others to see. */
  blobs: ReadonlyMap<Digest, Uint8Array>;
}

/** Approval and rules, and those of before it under break-glass. */
const MAX_BLOBS = 4;
const SELDOM = ['typ', 'store', 'aud', 'epoch', 'root', 'requires', 'approval', 'rules', 'base'] as const;
/** In hexadecimal digits. Who is wrong once in 2^48 is refused once, and asks for the whole head. */
const TAG_LENGTH = 12;

const tags = new WeakMap<SignedHead['head'], { signed: SignedDocument; tag: string }>();

/** What seldom changes in heads of one point, by a short name. A head is never changed in place: it is named once. */
export function tagOf({ head, signed }: SignedHead): string {
  const known = tags.get(head);
  if (known?.signed === signed) return known.tag;
  const tag = digestOf(canonicalJson({ ...seldomIn(head), signers: signersIn(signed) })).slice(0, TAG_LENGTH);
  tags.set(head, { signed, tag });
  return tag;
}

/** `isKnown`: the question was asked with the tag of this head. `blobs`: texts that come along, at most four. */
export function answerBytes(
  newest: SignedHead,
  operations: readonly DeltaOperation[],
  isKnown: boolean,
  blobs: readonly Uint8Array[] = [],
): Buffer {
  const { head, signed } = newest;
  const seldom = new Set<string>(isKnown ? SELDOM : []);
  const payload = Object.fromEntries(Object.entries(head).filter(([key]) => !seldom.has(key)));
  const signatures = isKnown ? signed.signatures.map(({ signature }) => signature) : signed.signatures;
  const along = blobs.length === 0 ? {} : { blobs: blobs.map((bytes) => Buffer.from(bytes).toString()) };
  return Buffer.from(canonicalJson({ ...along, head: payload, operations, signatures }));
}

/** What it stands for, for whoever holds this. Throws what `deltaFrom` throws. */
export function answerFrom(bytes: Uint8Array, held: SignedHead): Answer {
  const value = parseCanonical(bytes, 'the answer', LIMITS.deltaBytes);
  if (!isAnswer(value)) throw refused('EDW_ERR_FORMAT_DELTA', 'the answer is none: head, operations and signatures');
  const along = (value.blobs ?? []).map((text) => Buffer.from(text));
  const payload = { ...seldomIn(held.head), ...value.head };
  const signatures = value.signatures.map((it, at) =>
    typeof it === 'string' ? { protected: signersIn(held.signed)[at] ?? '', signature: it } : it,
  );
  const head = withEncodedPayload({ payload, signatures }, 'the head in the answer', LIMITS.headBytes);
  const delta = deltaOf({ typ: 'edgeward-delta/1', from: cursorIn(held.head), operations: value.operations, head });
  return { delta, blobs: new Map(along.map((it) => [digestOf(it), it])) };
}

export function cursorIn({ epoch, revision, stateRoot }: Head): Cursor {
  return { epoch, revision, stateRoot };
}

function seldomIn(head: Head): object {
  return Object.fromEntries(SELDOM.map((key) => [key, head[key]]));
}

function signersIn({ signatures }: SignedDocument): string[] {
  return signatures.map((it) => it.protected);
}

interface AnswerParts {
  head: object;
  operations: unknown;
  signatures: unknown[];
  blobs?: string[];
}

function isAnswer(value: unknown): value is AnswerParts {
  if (typeof value !== 'object' || value === null || !('head' in value && 'operations' in value)) return false;
  if (!('signatures' in value) || Object.keys(value).length !== ('blobs' in value ? 4 : 3)) return false;
  if ('blobs' in value && !areTexts(value.blobs)) return false;
  return typeof value.head === 'object' && value.head !== null && Array.isArray(value.signatures);
}

function areTexts(value: unknown): boolean {
  return Array.isArray(value) && value.length <= MAX_BLOBS && value.every((it) => typeof it === 'string');
}
