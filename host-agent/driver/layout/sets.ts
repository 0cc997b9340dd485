import { createHash } from 'node:crypto';
import type { Family, SetLayout } from './host-layout.ts';

const SMALLEST_MAXELEM = 65_536;
/** A call costs more than hashing a member. */
const HASHED_AT_ONCE = 1024;
const MEMBER = /^[0-9a-f.:/]+(?:,(?:tcp|udp):[0-9]{1,5})?$/;

/** Whatever order members come in, and however often: sets of equal members are one set. */
export function setOf(family: Family, type: SetLayout['type'], members: Iterable<string>): SetLayout {
  const given = [...members].sort();
  const sorted = given.filter((member, index) => member !== given[index - 1]);
  // A name would be looked up in DNS, and a line's end would be a command.
  for (const member of sorted)
    if (!MEMBER.test(member)) throw new Error(`no member of a set: ${JSON.stringify(member)}`);
  const hash = createHash('sha256').update(`${family} ${type}`);
  for (let at = 0; at < sorted.length; at += HASHED_AT_ONCE)
    hash.update(`\n${sorted.slice(at, at + HASHED_AT_ONCE).join('\n')}`);
  const prefix = `ew${family === 'inet' ? 4 : 6}${type === 'hash:net' ? 'n' : 'p'}`;
  const digest = hash.digest('hex').slice(0, 16);
  return { name: `${prefix}-${digest}`, digest, type, family, maxelem: maxelemFor(sorted.length), members: sorted };
}

/** Another name of the same kind, for where this one is taken by a set that judges and holds something else. */
export function freeName(name: string, generation: number): string {
  return `${name.slice(0, 5)}${createHash('sha256').update(`${name} ${generation}`).digest('hex').slice(0, 16)}`;
}

/** Room for as many again, so that members can be added to a set that stands. */
function maxelemFor(members: number): number {
  let room = SMALLEST_MAXELEM;
  while (room < members * 2) room *= 2;
  return room;
}

/** Each set once, sorted by name. */
export function distinctSets(sets: readonly SetLayout[]): SetLayout[] {
  const byName = new Map(sets.map((set) => [set.name, set]));
  return [...byName.keys()].sort().flatMap((name) => byName.get(name) ?? []);
}
