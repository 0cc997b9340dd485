/** The one file that a roll-out is remembered in, `rollout.json`; what is not exactly of its form is not believed. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf, writeDurably } from '@edgeward/runtime';
import * as z from 'zod';
import { unreadable } from '../folder/unreadable-file.ts';
import type { RolloutState } from './state.ts';

const instantMs = z.number().min(0);
const version = z.int().min(1);
const trouble = z.strictObject({
  point: z.string().nullable(),
  kind: z.enum(['nack', 'not-applied', 'denials', 'silent', 'unconfirmed']),
  message: z.string(),
});
const end = { wave: z.int().min(-1), atMs: instantMs, by: z.string(), why: z.string(), trouble: z.array(trouble) };

const rolloutState: z.ZodType<RolloutState> = z.strictObject({
  format: z.literal(1),
  version,
  digest: z.string(),
  startedMs: instantMs,
  returnUntilMs: instantMs.nullable(),
  waves: z.array(z.string()).min(1),
  atOnce: z.enum(['break-glass', 'restore', 'state-lost']).nullable(),
  phase: z.discriminatedUnion('is', [
    z.strictObject({ is: z.literal('rolling'), wave: z.int().min(-1), sinceMs: instantMs }),
    z.strictObject({ is: z.literal('halted'), ...end }),
    z.strictObject({ is: z.literal('returned'), ...end }),
    z.strictObject({ is: z.literal('done'), atMs: instantMs }),
  ]),
  confirm: z
    .strictObject({ objects: z.array(z.string()), dueMs: instantMs.nullable(), by: z.string().nullable() })
    .nullable(),
  // Files of before had none.
  unconfirmed: z.array(z.string()).default([]),
  excused: z.array(z.string()),
  points: z.record(
    z.string(),
    z.strictObject({
      wave: z.int().min(0),
      from: version.nullable(),
      changed: z.boolean(),
      gone: z.boolean(),
      movedMs: instantMs.nullable(),
      deniedPerHour: z.number().min(0),
    }),
  ),
});

const pathIn = (dir: string): string => join(dir, 'rollout.json');

/** Null where there is none. Throws EDW_ERR_STORE_FOLDER. */
export async function readRollout(dir: string): Promise<RolloutState | null> {
  const path = pathIn(dir);
  try {
    return rolloutState.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ENOENT') return null;
    throw unreadable(path, thrown);
  }
}

/** Throws EDW_ERR_STATE_WRITE. */
export function saveRollout(dir: string, state: RolloutState): Promise<void> {
  return writeDurably(pathIn(dir), `${JSON.stringify(state)}\n`);
}
