import { createHash } from 'node:crypto';
import type { Family, SetLayout } from './host-layout.ts';

const SMALLEST_MAXELEM = 65_536;
const MEMBER = /^[0-9a-f.:/]+(?:,(?:tcp|udp):[0-9]{1,5})?$/;

/** Whatever order members come in, and however often: sets of equal members are one set. */
export function setOf(family: Family, type: SetLayout['type'], members: Iterable<string>): SetLayout {
  const sorted = [...new Set(members)].sort();
  const hash = createHash('sha256').update(`${family} ${type}\n`);
  for (const member of sorted) {
    // A name would be looked up in DNS, and a line's end would be a command.
    if (!MEMBER.test(member)) throw new Error(`no member of a set: ${JSON.stringify(member)}`);
    hash.update(`${member}\n`);
  }
  const prefix = `ew${family === 'inet' ? 4 : 6}${type === 'hash:net' ? 'n' : 'p'}`;
  const name = `${prefix}-${hash.digest('hex').slice(0, 16)}`;
  return { name, type, family, maxelem: maxelemFor(sorted.length), members: sorted };
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
