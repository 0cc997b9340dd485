import { setTimeout as sleep } from 'node:timers/promises';
import { type Applied, revisionOlder } from '@edgeward/enforcement-point';
import type { CompiledPolicy } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import { formatActive } from '../src/layout.ts';
import { begin, type Collection, collect } from './collect.ts';
import { type Entry, entriesOf, type Layout, layOut } from './entries.ts';
import { activated, graceLeftMs, type KnownZone, recognise } from './known-zone.ts';
import { isOf, readLastKnown, writeLastKnown } from './last-known-file.ts';
import { chunksOf, differingEntries, linesOf } from './push-chunks.ts';
import type { PointState, PushClient } from './push-client.ts';
import { zoneBytesFor } from './zone-size.ts';

/**
 * Makes a policy the one in force: what is missing is written beside what is there, the last write switches. Nothing of
 * the policy in force is changed in place, except to repair it.
 */
export interface Application extends Collection {
  point: string;
  /** How long what is replaced stays. */
  graceMs: number;
}

export async function applyPolicy(to: Application, desired: CompiledPolicy): Promise<Applied> {
  const { client, known, lastKnownFile } = to;
  const layout = layOut(desired);
  const state = await client.state();
  const held = state.active?.revision ?? 0;
  if (held > desired.revision) throw revisionOlder(to.point, desired.revision, held);
  recognise(known, state);
  const missing = await missingEntries(client, known, state, layout);
  const written = await write(to, state, layout, missing);
  activated(known, layout, Date.now(), to.graceMs);
  if (written.writes > 0 || !isOf(await readLastKnown(lastKnownFile), layout.active))
    await writeLastKnown(lastKnownFile, desired, layout);
  return { revision: desired.revision, ...written };
}

async function write(
  to: Application,
  state: PointState,
  layout: Layout,
  missing: Entry[],
): Promise<{ writes: number; bytes: number }> {
  const { client, known } = to;
  const active = formatActive(layout.active);
  const switches = state.active === null || formatActive(state.active) !== active;
  const pieces = [...chunksOf(missing)].map(linesOf);
  if (pieces.length === 0 && !switches) return { writes: 0, bytes: 0 };
  await begin(client, known);
  for (const piece of pieces) await withRoom(to, layout, () => client.set(known, piece));
  if (switches) await withRoom(to, layout, () => client.switchTo(known, active));
  const sent = switches ? [...pieces, active] : pieces;
  return { writes: sent.length, bytes: sent.reduce((bytes, piece) => bytes + piece.length, 0) };
}

/** Headers come last, so that none ever points to a table that is not there. */
async function missingEntries(
  client: PushClient,
  known: KnownZone,
  state: PointState,
  layout: Layout,
): Promise<Entry[]> {
  // Somebody wrote this zone before us, or it claims to hold exactly this: look instead of believing.
  const verify = state.active !== null && (known.layout === null || state.active.hash === layout.active.hash);
  if (verify) return differingEntries(client, [...entriesOf(layout)]);
  const fresh = [...layout.contents].filter(([content]) => !known.contents.has(content)).map(([, entries]) => entries);
  if (known.layout?.active.generation !== layout.active.generation) fresh.push(layout.headers);
  return fresh.flat();
}

/** The zone may be full of what older revisions left: what may go is deleted, at last after waiting for its grace. */
async function withRoom(to: Application, coming: Layout, write: () => Promise<void>): Promise<void> {
  if (await fits(write)) return;
  await collect(to, coming);
  if (await fits(write)) return;
  await sleep(graceLeftMs(to.known, Date.now()));
  await collect(to, coming);
  await write().catch((cause: unknown) => {
    throw isFull(cause) ? tooSmall(cause, coming) : cause;
  });
}

async function fits(write: () => Promise<void>): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (cause) {
    if (isFull(cause)) return false;
    throw cause;
  }
}

function isFull(cause: unknown): cause is EdgewardError {
  return cause instanceof EdgewardError && cause.code === 'EDW_ERR_ZONE_TOO_SMALL';
}

function tooSmall(cause: EdgewardError, layout: Layout): EdgewardError {
  const megabytes = zoneBytesFor(entriesOf(layout)) / 1048576;
  return new EdgewardError(cause.code, `${cause.message}; this policy needs zone=edgeward:${megabytes}m`, {
    mend: `Write zone=edgeward:${megabytes}m in http.conf and reload NGINX; the old policy stays in force until then.`,
    cause,
  });
}
