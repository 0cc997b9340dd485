import type { AddressKey } from '@edgeward/policy';
import { lookup } from '@edgeward/policy/dialect';
import { changedReader } from './changed-reader.ts';
import { ACTIVE } from './layout.ts';
import type { ReadAlready } from './zone.ts';
import type { Zone } from './zone-life.ts';

/**
 * The verdict where nothing turns on more than the address: an object with one port and no trusted proxies, and either one
 * rule that lets its sources in on every port and with any request, or none and mode enforce. That is nearly every request,
 * and half of what the whole way costs. Where anything is otherwise it says nothing and gives what it has read to `decide`,
 * which alone says what a policy means. That both say the same is held by test/parity and nginx-njs/test/delta.test.ts.
 *
 * Long, because njs takes 0.03 µs for each function at the top of a file and 0.1 for each that is called.
 */
export function plainVerdict(zone: Zone, bind: string, port: string, peer: AddressKey): 'pass' | ReadAlready | null {
  const active = zone.get(ACTIVE);
  if (active === undefined) return null;
  const header = zone.get(`@${active.slice(0, 12)}/${bind}`);
  if (header === undefined) return null;
  // By place, as `formatHeader` writes it; `enforce` is as long as `observe`.
  const isWhole = header.charAt(26) === '-';
  const modeAt = isWhole ? 30 : 296;
  if (header.slice(modeAt + 7) !== ` http tcp:${port}:${port} -`)
    return { active, bind, header, source: null, rules: undefined, isUnknown: false };
  const content = header.slice(0, 12);
  const reader = isWhole
    ? (bucket: string): string | undefined => zone.get(content + bucket)
    : changedReader(zone, content, header.slice(26, 38), header.slice(39, 295));
  const id = lookup(reader, peer);
  // As `classKey` writes it; the number of most objects' only class has one digit, in whichever base.
  const rules = id < 0 ? undefined : zone.get(`${header.slice(13, 25)}#${id < 10 ? id : id.toString(16)}`);
  if (rules !== undefined && rules.charAt(0) === '=') return 'pass';
  return {
    active,
    bind,
    header,
    source: peer,
    rules,
    isUnknown: rules === undefined && header.charAt(modeAt) === 'e',
  };
}
