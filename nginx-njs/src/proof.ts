import type { AddressKey, Mode, Verdict } from '@edgeward/policy';
import crypto from 'crypto';
import { ACTIVE, parseActive } from './layout.ts';
import type { Zone } from './zone-life.ts';

/**
 * Proofs of enforcement. The service lays a question into the zone, through the push endpoint, and then sends a plain
 * request that names it in `Edgeward-Proof`. The hook judges the source and the request of the question instead of those
 * that it sees, writes the verdict beside the question, and refuses: whatever the verdict, a proof passes to nobody. The
 * request is neither counted nor recorded. Each question is answered once; a header that names none that waits is ignored,
 * and the request is judged like any other.
 */
interface Question {
  /** Key of the address that is judged. */
  peer: AddressKey;
  method: string;
  path: string;
  host: string | null;
}

/** One that waits, taken by the request that named it. */
export interface AskedProof {
  id: string;
  question: Question;
}

/** As it lies in the zone, behind its name and `?` or `=`. */
interface Held {
  atMs: number;
  question?: Question;
  answer?: ProofAnswer;
}

/** What the service reads: what was judged, and the reference that the refused request carried out. */
export interface ProofAnswer {
  ref: string;
  /** As the server that the request reached sets them. */
  to: string;
  port: string;
  mode: Mode | null;
  /** Of the policy in force; empty where there was none. */
  hash: string;
  verdict: Verdict['verdict'];
  reason: Verdict['reason'];
  rule: string | null;
  revision: number;
}

/** Enough for any condition of a policy; more could fill the zone. */
const QUESTION_LIMIT = 4096;
/** Names are 128 random bits in hex. */
const ID_CHARS = 32;
/** Longer than any proof takes. */
const KEPT_MS = 30000;

/** Sixteen places and no more, whatever is never fetched. */
function placeOf(id: string): string {
  return `proof/${id.charAt(0)}`;
}

/** Not laid: the place is taken by a question that is under way, so take another name. Throws where the zone is full. */
export function askProof(zone: Zone, text: string): { id: string; laid: boolean } | null {
  const asked = parseAsked(text);
  if (asked === null) return null;
  const place = placeOf(asked.id);
  const nowMs = Date.now();
  if (isForgotten(zone.get(place), nowMs)) zone.delete(place);
  // One write that looks as well: of two services that ask at the same moment one is told to take another name.
  const laid = zone.add(place, `${asked.id}?${JSON.stringify({ atMs: nowMs, question: asked.question })}`);
  return { id: asked.id, laid };
}

/** Whoever laid it out has died, or gone away. */
function isForgotten(held: string | undefined, nowMs: number): boolean {
  if (held === undefined) return false;
  return Math.abs(nowMs - (JSON.parse(held.slice(ID_CHARS + 1)) as Held).atMs) > KEPT_MS;
}

/** Takes the question out of the zone, so that the same header opens nothing a second time. */
export function takeQuestion(zone: Zone, id: string | undefined): AskedProof | null {
  // By its length alone: a pattern would cost every request with this header more than looking.
  if (id === undefined || id.length !== ID_CHARS) return null;
  const held = zone.get(placeOf(id));
  if (held === undefined || held.charAt(ID_CHARS) !== '?' || !isSame(held, id)) return null;
  zone.delete(placeOf(id));
  return { id, question: (JSON.parse(held.slice(ID_CHARS + 1)) as Held).question as Question };
}

export function answerProof(zone: Zone, id: string, answer: ProofAnswer): void {
  zone.add(placeOf(id), `${id}=${JSON.stringify({ atMs: Date.now(), answer })}`);
}

/** Once: `waiting`, where no request named it; `unknown`, where it never was, or was overwritten. */
export function fetchProof(
  zone: Zone,
  id: string,
): { state: 'answered'; answer: ProofAnswer } | { state: 'waiting' | 'unknown' } {
  const held = zone.get(placeOf(id));
  if (held === undefined || !isSame(held, id)) return { state: 'unknown' };
  zone.delete(placeOf(id));
  if (held.charAt(ID_CHARS) === '?') return { state: 'waiting' };
  return { state: 'answered', answer: (JSON.parse(held.slice(ID_CHARS + 1)) as Held).answer as ProofAnswer };
}

export function hashInForce(zone: Zone): string {
  const active = parseActive(zone.get(ACTIVE) || '');
  return active === null ? '' : active.hash;
}

/** The time that it takes says nothing about the name that waits. */
function isSame(held: string, id: string): boolean {
  return digest(held.slice(0, ID_CHARS)) === digest(id);
}

function digest(text: string): string {
  return crypto.createHash('sha256').update(text).digest('hex');
}

function parseAsked(text: string): AskedProof | null {
  if (text.length > QUESTION_LIMIT) return null;
  let asked: Record<string, unknown> | null;
  try {
    asked = JSON.parse(text) as Record<string, unknown> | null;
  } catch (_noJson) {
    return null;
  }
  if (asked === null || !fits(asked.id, /^[0-9a-f]{32}$/) || !fits(asked.peer, /^([0-9a-f]{8}|[0-9a-f]{32})$/))
    return null;
  if (!fits(asked.method, /^[!-~]{1,64}$/) || !fits(asked.path, /^\//)) return null;
  if (asked.host !== null && !fits(asked.host, /^[^ ]{1,255}$/)) return null;
  const question = { peer: asked.peer, method: asked.method, path: asked.path, host: asked.host } as Question;
  return { id: asked.id as string, question };
}

function fits(value: unknown, form: RegExp): boolean {
  return typeof value === 'string' && form.test(value);
}
