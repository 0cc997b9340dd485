/**
 * Bytes from a store, read into the shapes of the format. Only shape and size are looked at here: not one signature, and
 * nothing that is said is believed.
 */
import {
  type Answer,
  answerFrom,
  type Cursor,
  type Delta,
  deltaFrom,
  isDigest,
  LIMITS,
  parseCanonical,
  payloadOf,
  type SignedDocument,
  type SignedHead,
  signedDocumentOf,
} from '@edgeward/policy-format';
import { messageOf } from '@edgeward/runtime';
import { cleanText, storeFailure } from './failures.ts';

/** A head as it travels: payload and signatures in base64url, with room for the signatures. */
export const HEAD_WIRE_BYTES: number = 2 * LIMITS.headBytes + 4096;
export const ROOT_WIRE_BYTES: number = 2 * LIMITS.rootBytes;

/** Throws EDW_ERR_STORE_ANSWER. */
export function readSigned(bytes: Uint8Array, doing: string, maxBytes: number): SignedDocument {
  return reading(doing, () => signedDocumentOf(parseCanonical(bytes, 'it', maxBytes)));
}

/** Throws EDW_ERR_STORE_ANSWER. */
export function readDelta(bytes: Uint8Array, doing: string): Delta {
  return reading(doing, () => deltaFrom(bytes));
}

/** For whoever holds `held`, with which it was asked. Throws EDW_ERR_STORE_ANSWER. */
export function readAnswer(bytes: Uint8Array, held: SignedHead, doing: string): Answer {
  return reading(doing, () => answerFrom(bytes, held));
}

function reading<T>(doing: string, read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    throw storeFailure('EDW_ERR_STORE_ANSWER', `${doing}: ${cleanText(messageOf(thrown))}`, thrown);
  }
}

/** What a head says of itself, or null where it says nothing that can be read. Nothing of it is verified. */
export function cursorIn(head: SignedDocument): Cursor | null {
  try {
    return readCursor(payloadOf(head, 'the head', LIMITS.headBytes));
  } catch {
    return null;
  }
}

function readCursor(value: unknown): Cursor | null {
  if (!isObject(value)) return null;
  const { epoch, revision, stateRoot } = value;
  if (!isCount(epoch) || !isCount(revision) || !isDigest(stateRoot)) return null;
  return { epoch, revision, stateRoot };
}

export function isSameState(a: Cursor | null, b: Cursor | null): boolean {
  if (a === null || b === null) return a === b;
  return a.epoch === b.epoch && a.revision === b.revision && a.stateRoot === b.stateRoot;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
