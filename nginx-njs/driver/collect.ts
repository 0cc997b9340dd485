import { randomBytes } from 'node:crypto';
import type { Layout } from './entries.ts';
import { entriesOf } from './entries.ts';
import { isKnown, type KnownZone, litterOf, takeRetired } from './known-zone.ts';
import { readLastKnown } from './last-known-file.ts';
import type { Entry } from './object-tables.ts';
import { differingEntries } from './push-chunks.ts';
import type { PointState, PushClient } from './push-client.ts';

/**
 * Deletes what no policy reads any more: every entry that belongs neither to the policy in force, nor to one that was
 * replaced a moment ago, nor to the one that is coming. What this driver replaced it knows by name; only where another
 * wrote, or a push failed, it asks NGINX for all keys, which holds a worker for a while: 30 ms of a million networks. Where it is not certain
 * what is in force, nothing is deleted.
 */
const KEYS_A_CALL = 500;

export interface Collection {
  client: PushClient;
  known: KnownZone;
  lastKnownFile: string;
}

export async function collect(
  { client, known, lastKnownFile }: Collection,
  coming: Layout | null = null,
): Promise<void> {
  if (!known.littered && known.retired.length === 0) return;
  let state = await client.state();
  // Another service wrote since: what is garbage to us may be what it is about to switch on.
  if (!isKnown(known, state)) return;
  if (state.active === null) {
    // Before it is said that nothing is in force: from here on no request brings back what the last-known file holds.
    await begin(client, known);
    state = await client.state();
  }
  const retired = takeRetired(known, coming, performance.now());
  const garbage = known.littered ? await litter({ client, known, lastKnownFile }, state, coming) : retired;
  if (garbage === null) return;
  // Whatever is not deleted after all is then looked for.
  known.littered = true;
  if (garbage.length > 0) await begin(client, known);
  for (let at = 0; at < garbage.length; at += KEYS_A_CALL)
    await client.remove(known, garbage.slice(at, at + KEYS_A_CALL));
  known.littered = coming !== null;
}

/** Every change of the zone begins so: from here on no other driver's change is taken until it has looked again. */
export async function begin(client: PushClient, known: KnownZone): Promise<void> {
  const writer = randomBytes(8).toString('hex');
  await client.begin(known, writer);
  known.writer = writer;
}

/** null where nobody knows. */
async function litter(
  { client, known, lastKnownFile }: Collection,
  state: PointState,
  coming: Layout | null,
): Promise<string[] | null> {
  const inForce = await entriesInForce(client, known, state, lastKnownFile);
  return inForce === null ? null : litterOf(known, coming, inForce, await client.keys());
}

async function entriesInForce(
  client: PushClient,
  known: KnownZone,
  state: PointState,
  lastKnownFile: string,
): Promise<Iterable<Entry> | null> {
  if (state.active === null) return [];
  if (known.layout?.active.hash === state.active.hash) return entriesOf(known.layout);
  const last = await readLastKnown(lastKnownFile);
  const entries = last?.active.hash === state.active.hash ? last.entries() : [];
  const headers = entries.filter(([key]) => key.startsWith('@'));
  // Another may have laid the same policy out on other tables.
  const isLaidOutSo = headers.length > 0 && (await differingEntries(client, headers)).length === 0;
  return isLaidOutSo ? entries : null;
}
