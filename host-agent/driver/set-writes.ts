/**
 * The commands that bring sets about. A set that rules name is never emptied: it is mended member by member, what is missing
 * first. One that nothing names, and that is not what its name says, was left half-filled by an apply that ended: it goes.
 */

import type { SetState } from './host-state.ts';
import type { SetLayout } from './layout/host-layout.ts';
import type { Netfilter } from './netfilter/index.ts';
import type { SetContents } from './set-contents.ts';

/** What is refused in the middle of a large set has cost no more than this. */
const LINES_A_WRITE = 50_000;

export interface Tally {
  writes: number;
  bytes: number;
}

/** Sets that are missing or not whole are made so. */
export async function writeSets(
  { netfilter, contents }: { netfilter: Netfilter; contents: SetContents },
  wanted: readonly SetLayout[],
  found: ReadonlyMap<string, SetState>,
  tally: Tally,
): Promise<void> {
  for (const set of wanted) {
    const there = found.get(set.name);
    if (there?.whole === true && there.digest === set.digest) continue;
    const isNamed = (there?.references ?? 0) > 0;
    const lines = isNamed ? await mending(netfilter, set) : making(set, there !== undefined);
    await writeLines(netfilter, lines, tally);
    if (!isNamed) contents.filled(set.name, set.digest, set.members);
  }
}

/** Sets that stand get more members, all in one program as a rule. */
export async function growSets(
  { netfilter, contents }: { netfilter: Netfilter; contents: SetContents },
  sets: readonly { set: SetLayout; lines: readonly string[] }[],
  tally: Tally,
): Promise<void> {
  await writeLines(
    netfilter,
    sets.flatMap(({ lines }) => lines),
    tally,
  );
  for (const { set } of sets) contents.filled(set.name, set.digest, set.members);
}

async function writeLines(netfilter: Netfilter, lines: Iterable<string>, tally: Tally): Promise<void> {
  for (const piece of pieces(lines, LINES_A_WRITE)) {
    tally.bytes += await netfilter.writeSets(piece);
    tally.writes += 1;
  }
}

function* making({ name, type, family, maxelem, members }: SetLayout, isThere: boolean): Generator<string> {
  if (isThere) yield `destroy ${name}`;
  yield `create ${name} ${type} family ${family} hashsize ${hashsizeFor(members.length)} maxelem ${maxelem}`;
  for (const member of members) yield `add ${name} ${spoken(member)}`;
}

/** What the kernel would come to by doubling it again and again, which costs more than filling it. */
function hashsizeFor(members: number): number {
  return Math.max(1024, 2 ** Math.floor(Math.log2(Math.max(1, members))));
}

/**
 * As a command names it: TCP is what is meant where no protocol is said, and to look one up by its name costs as much as the rest
 * (measured: 100,000 members 414 ms of CPU, or 178).
 */
export function spoken(member: string): string {
  return member.replace(',tcp:', ',');
}

async function mending(netfilter: Netfilter, { name, members }: SetLayout): Promise<string[]> {
  const found = new Set(await netfilter.members(name));
  const wanted = new Set(members);
  const missing = [...wanted].filter((member) => !found.has(member));
  const extra = [...found].filter((member) => !wanted.has(member));
  return [
    ...missing.map((member) => `add ${name} ${spoken(member)}`),
    ...extra.map((member) => `del ${name} ${spoken(member)}`),
  ];
}

function* pieces(lines: Iterable<string>, size: number): Generator<string[]> {
  let piece: string[] = [];
  for (const line of lines) {
    piece.push(line);
    if (piece.length < size) continue;
    yield piece;
    piece = [];
  }
  if (piece.length > 0) yield piece;
}
