/** What `GET /v1/status` says, read as loosely as it is shown. It decides nothing here, and nothing of it is signed. */
import { storeFailure } from '@edgeward/policy-feed';
import * as z from 'zod';

export interface ShownStore {
  store: string;
  nowMs: number;
  root: number;
  epoch: number;
  version: number | null;
  revision: number;
  points: ShownStorePoint[];
  inventory: {
    workloads: number;
    waiting: ShownWaiting | null;
    alsoWaiting?: ShownWaiting[] | undefined;
    error: { code: string; message: string; mend: string } | null;
  };
  refused: Excess[];
  unwritten: number;
  behind: number;
  followUps: { version: number; endsAt: string; proposedBy: string; reason: string }[];
  record: { size: number; hash: string };
  rollout?: ShownRollout | undefined;
}

export interface ShownStorePoint {
  point: string;
  version: number | null;
  revision: number;
  expiresAt: string;
  reports: { heardAtMs: number; report: ShownReport }[];
}

interface ShownReport {
  service: string;
  revision: number;
  applied: number | null;
  state: string;
  nack: { revision: number; stage: string; code: string; message: string } | null;
  contradicted: boolean;
  denials: { total: number };
}

export interface ShownWaiting {
  revision: number;
  sinceMs: number;
  fault: { state: 'held'; losses: Loss[] } | { state: 'refused'; excesses: Excess[] };
}

interface Loss {
  point: string;
  object: string;
  before: number;
  lost: number;
  workloads: number;
}

interface Excess {
  point: string;
  group: string;
  members: number;
  max: number;
  /** `workloads`, or addresses of a family: `ipv4`, `ipv6`. */
  counted: string;
}

export interface ShownRollout {
  state: string;
  version: number | null;
  atOnce: string | null;
  wave: number | null;
  waves: ShownWave[];
  trouble: { point: string | null; kind: string; message: string }[];
  stopped: { at: string; by: string; why: string } | null;
  confirm: { objects: string[]; until: string | null; by: string | null } | null;
  wayBack: { state: 'open'; until: string } | { state: 'closed'; why: string } | null;
}

interface ShownWave {
  title: string;
  points: number;
  counts: Record<string, number>;
  applying: string[];
  away: string[];
}

const names = z.array(z.string());
const excess: z.ZodType<Excess> = z.object({
  point: z.string(),
  group: z.string(),
  members: z.number(),
  max: z.number(),
  counted: z.string(),
});

const report: z.ZodType<ShownReport> = z.object({
  service: z.string(),
  revision: z.number(),
  applied: z.number().nullable(),
  state: z.string(),
  nack: z.object({ revision: z.number(), stage: z.string(), code: z.string(), message: z.string() }).nullable(),
  contradicted: z.boolean(),
  denials: z.object({ total: z.number() }),
});

const point: z.ZodType<ShownStorePoint> = z.object({
  point: z.string(),
  version: z.number().nullable(),
  revision: z.number(),
  expiresAt: z.string(),
  reports: z.array(z.object({ heardAtMs: z.number(), report })),
});

const waiting: z.ZodType<ShownWaiting> = z.object({
  revision: z.number(),
  sinceMs: z.number(),
  fault: z.discriminatedUnion('state', [
    z.object({
      state: z.literal('held'),
      losses: z.array(
        z.object({
          point: z.string(),
          object: z.string(),
          before: z.number(),
          lost: z.number(),
          workloads: z.number(),
        }),
      ),
    }),
    z.object({ state: z.literal('refused'), excesses: z.array(excess) }),
  ]),
});

const rollout: z.ZodType<ShownRollout> = z.object({
  state: z.string(),
  version: z.number().nullable(),
  atOnce: z.string().nullable(),
  wave: z.number().nullable(),
  waves: z.array(
    z.object({
      title: z.string(),
      points: z.number(),
      counts: z.record(z.string(), z.number()),
      applying: names,
      away: names,
    }),
  ),
  trouble: z.array(z.object({ point: z.string().nullable(), kind: z.string(), message: z.string() })),
  stopped: z.object({ at: z.string(), by: z.string(), why: z.string() }).nullable(),
  confirm: z.object({ objects: names, until: z.string().nullable(), by: z.string().nullable() }).nullable(),
  wayBack: z
    .discriminatedUnion('state', [
      z.object({ state: z.literal('open'), until: z.string() }),
      z.object({ state: z.literal('closed'), why: z.string() }),
    ])
    .nullable(),
});

const schema: z.ZodType<ShownStore> = z.object({
  store: z.string(),
  nowMs: z.number(),
  root: z.number(),
  epoch: z.number(),
  version: z.number().nullable(),
  revision: z.number(),
  points: z.array(point),
  inventory: z.object({
    workloads: z.number(),
    waiting: waiting.nullable(),
    alsoWaiting: z.array(waiting).optional(),
    error: z.object({ code: z.string(), message: z.string(), mend: z.string() }).nullable(),
  }),
  refused: z.array(excess),
  unwritten: z.number(),
  behind: z.number(),
  followUps: z.array(z.object({ version: z.number(), endsAt: z.string(), proposedBy: z.string(), reason: z.string() })),
  record: z.object({ size: z.number(), hash: z.string() }),
  // A store of an earlier release has none.
  rollout: rollout.optional(),
});

/** Throws EDW_ERR_STORE_ANSWER. */
export function storeStatusOf(value: unknown, url: string): ShownStore {
  return readAs(schema, value, `the status of ${url}`);
}

/** Throws EDW_ERR_STORE_ANSWER. */
export function rolloutOf(value: unknown, url: string): ShownRollout {
  return readAs(rollout, value, `the roll-out of ${url}`);
}

function readAs<T>(shape: z.ZodType<T>, value: unknown, what: string): T {
  const read = shape.safeParse(value);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const why = `${issue?.path.join('.')}: ${issue?.message}`;
  throw storeFailure('EDW_ERR_STORE_ANSWER', `reading ${what}: it is not understood: ${why}`);
}
