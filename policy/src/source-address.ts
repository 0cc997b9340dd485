import type { AddressKey } from './address.ts';
import { parseAddress } from './address.ts';

/**
 * Whose request it is. X-Forwarded-For is read from the right, because only the entries that trusted proxies
 * appended can be believed: the first one that is not itself a trusted proxy is the source.
 */
export function effectiveSource(
  object: { trusts(peer: AddressKey): boolean },
  peer: AddressKey,
  forwardedFor: string | undefined,
): AddressKey {
  if (forwardedFor === undefined || forwardedFor === '' || !object.trusts(peer)) return peer;
  const entries = forwardedFor.split(',');
  let source = peer;
  for (let i = entries.length - 1; i >= 0; i -= 1) {
    const entry = parseAddress((entries[i] as string).trim());
    // What stands left of an entry that can't be read was vouched for by nobody.
    if (entry === null) return source;
    source = entry;
    if (!object.trusts(entry)) return source;
  }
  return source;
}
