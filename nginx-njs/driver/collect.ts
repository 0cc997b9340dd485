import { randomBytes } from 'node:crypto';
import { type Entry, entriesOf, type Layout } from './entries.ts';
import { isKnown, type KnownZone } from './known-zone.ts';
import { readLastKnown } from './last-known-file.ts';
import type { PointState, PushClient } from './push-client.ts';

/**
 * Deletes what no policy reads any more: every entry that belongs neither to the policy in force, nor to one that was
 * replaced a moment ago, nor to the one that is coming. Where it is not certain what is in force, nothing is deleted.
 */
const KEYS_A_CALL = 1000;

export interface Collection {
  client: PushClient;
  known: KnownZone;
  lastKnownFile: string;
}

export async function collect({ client, known, lastKnownFile }: Collection, coming?: Layout): Promise<void> {
  const state = await client.state();
  // Another service wrote since: what is garbage to us may be what it is about to switch on.
  if (!isKnown(known, state)) return;
  const inForce = await entriesInForce(known, state, lastKnownFile);
  if (inForce === null) return;
  const kept = new Set<string>();
  for (const [key] of inForce) kept.add(key);
  if (coming !== undefined) for (const [key] of entriesOf(coming)) kept.add(key);
  known.retired = known.retired.filter(({ untilMs }) => untilMs > Date.now());
  for (const { keys } of known.retired) for (const key of keys) kept.add(key);
  const garbage = (await client.keys()).filter((key) => !kept.has(key));
  if (garbage.length === 0) return;
  await begin(client, known);
  for (let at = 0; at < garbage.length; at += KEYS_A_CALL)
    await client.remove(known, garbage.slice(at, at + KEYS_A_CALL));
}

/** Every change of the zone begins so: from here on no other driver's change is taken until it has looked again. */
export async function begin(client: PushClient, known: KnownZone): Promise<void> {
  const writer = randomBytes(8).toString('hex');
  await client.begin(known, writer);
  known.writer = writer;
}

/** null where nobody knows. */
async function entriesInForce(
  known: KnownZone,
  state: PointState,
  lastKnownFile: string,
): Promise<Iterable<Entry> | null> {
  if (state.active === null) return [];
  if (known.layout?.active.hash === state.active.hash) return entriesOf(known.layout);
  const last = await readLastKnown(lastKnownFile);
  return last !== null && last.active.hash === state.active.hash && last.entries.length > 0 ? last.entries : null;
}
