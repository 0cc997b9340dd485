import { setTimeout as sleep } from 'node:timers/promises';
import { type Applied, revisionOlder } from '@edgeward/enforcement-point';
import type { CompiledPolicy } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import { formatActive } from '../src/layout.ts';
import { begin, type Collection, collect } from './collect.ts';
import { entriesOf, type Layout } from './entries.ts';
import { activated, graceLeftMs, recognise } from './known-zone.ts';
import { isOf, readLastKnown } from './last-known-file.ts';
import type { LastKnownWriter } from './last-known-writer.ts';
import type { Entry } from './object-tables.ts';
import { chunksOf, differingEntries, linesOf } from './push-chunks.ts';
import type { PointState } from './push-client.ts';
import type { PushWords } from './push-transport.ts';
import { layoutFor } from './zone-layout.ts';
import { zoneBytesFor } from './zone-size.ts';

/**
 * Makes a policy the one in force: what is missing is written beside what is there, the last write switches. Nothing of
 * the policy in force is changed in place, except to repair it.
 */
export interface Application extends Collection {
  point: string;
  /** How long what is replaced stays. */
  graceMs: number;
  lastKnown: LastKnownWriter;
  /** Every table whole, without a delta: where nothing else is to be done. */
  whole?: boolean;
  /** Before the write that switches, and where there is nothing to write; what it throws fails the push. */
  beforeSwitch?: ((desired: CompiledPolicy) => Promise<void>) | undefined;
  /** Folder of native snapshots, whose flags `beforeSwitch` takes away. */
  snapshots?: string | undefined;
}

export async function applyPolicy(to: Application, desired: CompiledPolicy): Promise<Applied> {
  const { client, known } = to;
  const state = await client.state();
  const held = state.active?.revision ?? 0;
  if (held > desired.revision) throw revisionOlder(to.point, desired.revision, held);
  recognise(known, state);
  const lastKnown = (): ReturnType<typeof readLastKnown> => readLastKnown(to.lastKnownFile);
  const view = { client, known, lastKnown, whole: to.whole === true };
  const layout = await layoutFor(view, state, desired);
  const missing = await missingEntries(to, state, layout);
  const written = await write(to, desired, { state, layout, missing });
  activated(known, layout, performance.now(), to.graceMs);
  await keepLastKnown(to, desired, layout, written.writes > 0);
  return { revision: desired.revision, ...written };
}

async function keepLastKnown(
  { lastKnown, lastKnownFile }: Application,
  desired: CompiledPolicy,
  layout: Layout,
  changed: boolean,
): Promise<void> {
  if (!changed) {
    await lastKnown.settle();
    if (isOf(await readLastKnown(lastKnownFile), layout.active)) return;
  }
  await lastKnown.keep(desired, layout);
}

async function write(
  to: Application,
  desired: CompiledPolicy,
  { state, layout, missing }: { state: PointState; layout: Layout; missing: Entry[] },
): Promise<{ writes: number; bytes: number }> {
  const { client, known } = to;
  const active = formatActive(layout.active);
  const switches = state.active === null || formatActive(state.active) !== active;
  if (missing.length === 0 && !switches) {
    // A flag may be back that was taken away: of a backup, or of the time before another mode.
    await to.beforeSwitch?.(desired);
    return { writes: 0, bytes: 0 };
  }
  const { littered } = known;
  // If it fails, what was written of it is not known by name.
  known.littered = true;
  await begin(client, known);
  const sent = { writes: 0, bytes: 0 };
  for (const chunk of chunksOf(missing)) {
    const lines = linesOf(chunk);
    await withRoom(to, layout, () => client.set(known, lines));
    sent.writes += 1;
    sent.bytes += lines.length;
  }
  if (switches) {
    await to.beforeSwitch?.(desired);
    // Whoever doesn't know of the snapshots is refused by an NGINX that includes them.
    const knowing = state.included === undefined || to.snapshots === undefined ? '' : `\t${to.snapshots}`;
    await withRoom(to, layout, () => client.switchTo(known, active + knowing));
    sent.writes += 1;
    sent.bytes += active.length;
  }
  known.littered = littered;
  return sent;
}

/** Headers come last, so that none ever points to a table that is not there. */
async function missingEntries(to: Application, state: PointState, layout: Layout): Promise<Entry[]> {
  const { client, known } = to;
  // Somebody wrote this zone before us, or it claims to hold exactly this: look instead of believing.
  const claimed = state.active?.hash === layout.active.hash && to.whole !== true;
  if (state.active !== null && (known.layout === null || claimed))
    return differingEntries(client, [...entriesOf(layout)]);
  const missing: Entry[] = [];
  for (const [id, content] of layout.contents) {
    if (known.contents.has(id)) continue;
    for (const entry of content.entries()) missing.push(entry);
  }
  const held = new Map(known.layout?.headers ?? []);
  for (const header of layout.headers) if (held.get(header[0]) !== header[1]) missing.push(header);
  return missing;
}

/** The zone may be full of what older revisions left: what may go is deleted, at last after waiting for its grace. */
async function withRoom(to: Application, coming: Layout, write: () => Promise<void>): Promise<void> {
  if (await fits(write)) return;
  await collect(to, coming);
  if (await fits(write)) return;
  await sleep(graceLeftMs(to.known, performance.now()));
  await collect(to, coming);
  await write().catch((cause: unknown) => {
    throw isFull(cause) ? tooSmall(cause, coming, to.client.words) : cause;
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

function tooSmall(cause: EdgewardError, layout: Layout, { zone, conf }: PushWords): EdgewardError {
  const needed = `zone=${zone}:${zoneBytesFor(entriesOf(layout)) / 1048576}m`;
  return new EdgewardError(cause.code, `${cause.message}; this policy needs ${needed}`, {
    mend: `Write ${needed} in ${conf} and reload NGINX; the old policy stays in force until then.`,
    cause,
  });
}
