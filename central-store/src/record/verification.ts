import { type Checkpoint, type Digest, type PublicKey, signersOf } from '@edgeward/policy-format';
import { messageOf } from '@edgeward/runtime';
import { FIRST_PREV, hashOf, parseEntry, type RecordEntry } from './entry.ts';
import { linesOf, type Segment, segmentsIn } from './segments.ts';
import { CHECKPOINT_TYP, readCheckpoint } from './tail.ts';

/**
 * Reads a whole record and tells everything that is wrong with it. Needs no running store and no private key; holds one
 * line at a time. Believes nothing but the chain, the log key's signature, and what others have witnessed.
 */
export interface RecordProblem {
  /** The entry that it begins at; 0 where there is none. */
  seq: number;
  kind:
    | 'chain'
    | 'order'
    | 'missing-segment'
    | 'truncated'
    | 'contradicts-checkpoint'
    | 'contradicts-witness'
    | 'unreadable'
    | 'signature';
  message: string;
}

export interface RecordVerification {
  /** What is there. */
  checkpoint: Checkpoint;
  /** The signed checkpoint that lies there, if its signature holds. */
  signed: Checkpoint | null;
  /** The trust root that it was signed under, where it says. */
  signedRoot: number | null;
  /** Bytes at the end without a line break: an entry that is being written, or was when the power went. No problem. */
  tornBytes: number;
  problems: RecordProblem[];
}

interface Expected {
  checkpoint: Checkpoint;
  kind: 'contradicts-checkpoint' | 'contradicts-witness';
}

interface Walk {
  size: number;
  hash: Digest;
  tornBytes: number;
  problems: RecordProblem[];
  /** By size. */
  expected: Map<number, Expected[]>;
}

/** Problems beyond these are not listed one by one. */
const MAX_PROBLEMS = 10_000;

/** `witnesses` are checkpoints that were seen elsewhere: in heads, by points. */
export async function verifyRecord(
  dir: string,
  logKeys: readonly PublicKey[],
  witnesses: readonly Checkpoint[],
): Promise<RecordVerification> {
  const problems: RecordProblem[] = [];
  const segments = await segmentsIn(dir);
  const signed = await signedIn(dir, logKeys, segments.length > 0, problems);
  const { checkpoint: signedFor = null, root: signedRoot = null } = signed ?? {};
  const expected = expectedOf(signedFor, witnesses);
  const walk: Walk = { size: 0, hash: FIRST_PREV, tornBytes: 0, problems, expected };
  for (const [i, segment] of segments.entries()) {
    await walkSegment(segment, walk, i === segments.length - 1);
  }
  compareWith(walk, 0, FIRST_PREV);
  for (const { checkpoint, kind } of [...walk.expected.values()].flat()) {
    if (checkpoint.size <= walk.size) continue;
    const who = kind === 'contradicts-checkpoint' ? 'the signed checkpoint' : 'a witness';
    tell(walk, walk.size + 1, 'truncated', `${who} has seen ${checkpoint.size} entries, and ${walk.size} are there`);
  }
  const checkpoint = { size: walk.size, hash: walk.hash };
  return { checkpoint, signed: signedFor, signedRoot, tornBytes: walk.tornBytes, problems };
}

async function walkSegment(segment: Segment, walk: Walk, isLast: boolean): Promise<void> {
  if (segment.first !== walk.size + 1) {
    tell(walk, walk.size + 1, 'missing-segment', `the next segment begins at entry ${segment.first}`);
    walk.size = segment.first - 1;
    walk.hash = '';
  }
  for await (const line of linesOf(segment.path)) {
    if (!line.whole && isLast) {
      walk.tornBytes = line.text === null ? 1 : Buffer.byteLength(line.text);
      return;
    }
    const entry = line.whole && line.text !== null ? parseEntry(line.text) : null;
    if (entry === null || line.text === null) {
      walk.size += 1;
      walk.hash = '';
      tell(walk, walk.size, 'unreadable', 'it is no entry in its canonical form');
    } else follow(walk, entry, hashOf(line.text));
  }
}

/** Goes on after a problem from what is there, so that each is told once. */
function follow(walk: Walk, entry: RecordEntry, hash: Digest): void {
  const expected = walk.size + 1;
  if (entry.seq !== expected) tell(walk, expected, 'order', `entry ${entry.seq} stands in the place of ${expected}`);
  else if (walk.hash !== '' && entry.prev !== walk.hash)
    tell(walk, expected, 'chain', `it follows an entry that is not the one before it`);
  walk.size = entry.seq > expected ? entry.seq : expected;
  walk.hash = hash;
  compareWith(walk, walk.size, hash);
}

function compareWith(walk: Walk, size: number, hash: Digest): void {
  for (const { checkpoint, kind } of walk.expected.get(size) ?? []) {
    if (checkpoint.hash === hash) continue;
    const who = kind === 'contradicts-checkpoint' ? 'the signed checkpoint' : 'a witness';
    tell(walk, size, kind, `${who} has seen another entry here, or another one before it`);
  }
}

function expectedOf(signed: Checkpoint | null, witnesses: readonly Checkpoint[]): Walk['expected'] {
  const out: Walk['expected'] = new Map();
  const add = (checkpoint: Checkpoint, kind: Expected['kind']): void => {
    out.set(checkpoint.size, [...(out.get(checkpoint.size) ?? []), { checkpoint, kind }]);
  };
  if (signed !== null) add(signed, 'contradicts-checkpoint');
  for (const witness of witnesses) add(witness, 'contradicts-witness');
  return out;
}

async function signedIn(
  dir: string,
  logKeys: readonly PublicKey[],
  isBegun: boolean,
  problems: RecordProblem[],
): Promise<{ checkpoint: Checkpoint; root: number | null } | null> {
  try {
    const found = await readCheckpoint(dir);
    if (found === null) {
      // The first entry is signed for at once, so that a missing checkpoint is never how a record begins.
      if (isBegun) problems.push({ seq: 0, kind: 'signature', message: 'there is no signed checkpoint' });
      return null;
    }
    const signers = await signersOf(found.document, CHECKPOINT_TYP, logKeys);
    const { size, hash, root = null } = found.payload;
    if (signers.size > 0) return { checkpoint: { size, hash }, root };
    problems.push({ seq: 0, kind: 'signature', message: 'no log key has signed the checkpoint' });
  } catch (thrown) {
    problems.push({ seq: 0, kind: 'signature', message: `the checkpoint can not be read: ${messageOf(thrown)}` });
  }
  return null;
}

function tell(walk: Walk, seq: number, kind: RecordProblem['kind'], message: string): void {
  if (walk.problems.length < MAX_PROBLEMS) walk.problems.push({ seq, kind, message });
}
