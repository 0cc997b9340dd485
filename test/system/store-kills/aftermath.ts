/** What is left when all is quiet: two services that agree, a record that holds, denials that were right. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RecordEntry, type RecordVerification, verifyRecord } from '@edgeward/central-store';
import type { Checkpoint } from '@edgeward/policy-format';
import type { Edge } from '@edgeward/test/kit';
import { discontent } from './claims.ts';
import { allows, points } from './estate.ts';
import type { Acknowledged } from './publisher.ts';
import type { Service, Stage } from './stage.ts';

const LOOKS = 6;

/**
 * What is left that is not at rest. Two services that fight take turns in writing, for ever; what a service deletes some
 * seconds after it was replaced is the last that it writes.
 */
export async function unrest(stage: Stage, forMs: number): Promise<string[]> {
  let before = await writersOf(stage);
  for (let look = 1; ; look += 1) {
    await sleep(forMs);
    const now = await writersOf(stage);
    const changed = now.filter((writer, at) => writer !== before[at]);
    const missing = (await Promise.all(stage.services.map((service) => discontent(service)))).flat();
    if (changed.length + missing.length === 0 || look === LOOKS) return [...changed, ...missing];
    before = now;
  }
}

async function writersOf({ edges }: Stage): Promise<string[]> {
  return Promise.all(
    Object.entries(edges).map(async ([point, edge]) => {
      const { writer, active } = (await edge.push({ call: 'state' })).body as { writer: string; active: unknown };
      return `${point} ${writer} ${JSON.stringify(active)}`;
    }),
  );
}

/** What each service says that each point holds. */
export async function appliedBy({ status }: Service): Promise<(number | null)[]> {
  const found = (await status()).points;
  return points.map((point) => found.find((it) => it.point === point)?.appliedRevision ?? null);
}

/** What each service takes for a change that somebody made by hand: nobody made one. */
export async function driftTold(services: readonly Service[]): Promise<string[]> {
  const told = services.map(async ({ name, status }) =>
    (await status()).points.flatMap(({ point, drift }) =>
      drift.count === 0 ? [] : [`${name}: ${point}: ${drift.count} times, such as ${drift.last?.changes.join(', ')}`],
    ),
  );
  return (await Promise.all(told)).flat();
}

interface Memory {
  memory: { witness: { checkpoint: Checkpoint; contradicted: unknown } | null };
}

/** What each service has seen of the record, at each point, as it lies on its disk. */
export async function witnesses({ services }: Stage): Promise<{ checkpoints: Checkpoint[]; contradicted: unknown[] }> {
  const files = services.flatMap(({ stateDir }) => points.map((point) => join(stateDir, 'store', point, 'floor.json')));
  const found = await Promise.all(
    files.map(async (file) => (JSON.parse(await readFile(file, 'utf8')) as Memory).memory.witness),
  );
  return {
    checkpoints: found.flatMap((witness) => witness?.checkpoint ?? []),
    contradicted: found.flatMap((witness) => witness?.contradicted ?? []),
  };
}

/** Nothing runs any more: what the record says by itself, and beside what heads carried and points have seen. */
export async function recordOf(
  { stateDir, made, published }: Stage,
  seen: readonly Checkpoint[],
): Promise<{ verification: RecordVerification; entries: RecordEntry[] }> {
  const folder = join(stateDir, 'record');
  const all = [...published.checkpoints(), ...seen];
  return { verification: await verifyRecord(folder, made.root.logKeys, all), entries: await entriesIn(folder) };
}

async function entriesIn(folder: string): Promise<RecordEntry[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.ndjson')).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  const lines = texts.flatMap((text) => text.split('\n').slice(0, -1));
  return lines.map((line) => JSON.parse(line) as RecordEntry);
}

/** What the store said it had done, or would not do, and what its record knows nothing of. */
export function unrecorded(acknowledged: readonly Acknowledged[], entries: readonly RecordEntry[]): string[] {
  const left = new Map<string, number>();
  for (const { actor, action, outcome, target } of entries)
    for (const key of new Set([keyOf(actor, action, outcome, idIn(target)), keyOf(actor, action, outcome, '')]))
      left.set(key, (left.get(key) ?? 0) + 1);
  return acknowledged.flatMap(({ actor, action, outcome, id }) => {
    const key = keyOf(actor, action, outcome, id);
    const count = left.get(key) ?? 0;
    left.set(key, count - 1);
    return count > 0 ? [] : [key];
  });
}

function keyOf(...parts: string[]): string {
  return parts.join(' ');
}

/** `proposal/ID`, and the path of what was refused at the door. */
function idIn(target: string): string {
  return /proposals?\/([^/]+)/.exec(target)?.[1] ?? '';
}

/** Each denial that NGINX wrote down is right by a revision that was published; those of before the first policy are not asked. */
export async function wrongDenials({ published }: Stage, point: string, edge: Edge): Promise<string[]> {
  const wrong: string[] = [];
  for (const { revision, source, path, reason } of await edge.denials()) {
    const state = published.at(point, revision);
    if (state === null || source === null || path === null) continue;
    if (allows(state, { source, path })) wrong.push(`${point}, revision ${revision}: ${source} ${path}: ${reason}`);
  }
  return wrong;
}
