/**
 * The answers of the status API, as far as they are shown to a person. `--json` passes them on as they came, so what is
 * not listed here is not lost.
 */
import type { Finding, ObjectLoss } from '@edgeward/policy';
import * as z from 'zod';

export interface ShownPoint {
  point: string;
  kind: string;
  state: string;
  desiredRevision: number | null;
  appliedRevision: number | null;
  /** Milliseconds since the epoch, as the two below. */
  appliedAt: number | null;
  lastCheckedAt: number | null;
  drift: { count: number };
  lastError: { code: string; message: string; mend: string; at: number } | null;
  objects: { enforce: number; observe: number; off: number };
  /** In the ledger, counted without a record by cause, and as the point itself counted them up to two seconds ago. */
  denials: { stored: number; uncovered: Record<string, number>; counted: number };
  /** Why its deny log is not being read. */
  logError: { code: string; message: string; mend: string } | null;
  /** What a push left to be done, and by whom where it is not us. */
  unfinished: string[];
  /** What keeps the point from enforcing as the policy says. */
  hazards: { object: string; code: string; words: string; mend: string }[];
  /** Whether its objects were shown to be enforced. */
  proofs: ShownProof[];
  /** How it follows a central store. */
  store: {
    desiredVersion: number | null;
    /** Null also where it is not known. */
    appliedVersion: number | null;
    stale: boolean;
    contradicted: boolean;
    breakGlass: BreakGlass | null;
  } | null;
  /** Of an NGINX whose deny log is on another machine; null for every other point. */
  forwarder: ShownForwarder | null;
  /** Of an NGINX in mode hybrid; null for every other point. */
  snapshot: ShownSnapshot | null;
  /** What a host said of itself last; null for every other kind of point. */
  host: ShownHost | null;
}

export interface ShownSnapshot {
  /** Milliseconds since the epoch, as all times here. */
  takenAt: number | null;
  slow: { objects: number; since: number } | null;
  nextAt: number | null;
  reloads: number;
  failures: number;
  lastError: { code: string; message: string; mend: string; at: number } | null;
}

export interface ShownSink {
  name: string;
  state: string;
  lagEvents: number;
  lagSeconds: number;
  /** Why nothing is pushed now. */
  error: { code: string; message: string; mend: string } | null;
}

export interface ShownProof {
  object: string;
  state: string;
  /** Null where it is proven. */
  why: string | null;
  provenAtMs: number | null;
}

export interface ShownForwarder {
  /** Null: not since the service started. */
  heardAtMs: number | null;
  stale: boolean;
  clockSkewMs: number | null;
  waiting: { records: number; unreadBytes: number; shed: number } | null;
}

export interface ShownHost {
  /** Null: not since the service started. */
  heardAtMs: number | null;
  /** Three reports in a row are missing. */
  stale: boolean;
  clockSkewMs: number | null;
  report: {
    agent: string;
    backend: string;
    state: string;
    mode: string | null;
    repairs: { count: number; last: { at: string; process: string | null } | null };
    denials: { denied: number; pending: number };
  } | null;
}

/** What one approver alone opened, until then. */
export interface BreakGlass {
  version: number;
  endsAt: string;
  proposedBy: string;
  reason: string;
}

export interface Held {
  revision: number;
  heldAtMs: number;
  objects: ObjectLoss[];
}

export interface ShownStatus {
  version: string;
  startedAtMs: number;
  nowMs: number;
  headline: string;
  policy: {
    state: string;
    directory: string | null;
    store: string | null;
    revision: number;
    changedAtMs: number | null;
    errors: Finding[];
    warnings: number;
    held: Held | null;
    nextChangeAtMs: number | null;
  };
  points: ShownPoint[];
  /** Where deny events go beside the ledger. */
  sinks: ShownSink[];
}

const finding: z.ZodType<Finding> = z.object({
  severity: z.enum(['error', 'warning']),
  code: z.string(),
  file: z.string(),
  line: z.number(),
  column: z.number(),
  message: z.string(),
  mend: z.string(),
});

const held: z.ZodType<Held> = z.object({
  revision: z.number(),
  heldAtMs: z.number(),
  objects: z.array(z.object({ object: z.string(), lostShare: z.number() })),
});

const breakGlass: z.ZodType<BreakGlass> = z.object({
  version: z.number(),
  endsAt: z.iso.datetime(),
  proposedBy: z.string(),
  reason: z.string(),
});

const host: z.ZodType<ShownHost> = z.object({
  heardAtMs: z.number().nullable(),
  stale: z.boolean(),
  clockSkewMs: z.number().nullable(),
  report: z
    .object({
      agent: z.string(),
      backend: z.string(),
      state: z.string(),
      mode: z.string().nullable(),
      repairs: z.object({
        count: z.number(),
        last: z.object({ at: z.iso.datetime(), process: z.string().nullable() }).nullable(),
      }),
      denials: z.object({ denied: z.number(), pending: z.number() }),
    })
    .nullable(),
});

const forwarder: z.ZodType<ShownForwarder> = z.object({
  heardAtMs: z.number().nullable(),
  stale: z.boolean(),
  clockSkewMs: z.number().nullable(),
  waiting: z.object({ records: z.number(), unreadBytes: z.number(), shed: z.number() }).nullable(),
});

const snapshot: z.ZodType<ShownSnapshot> = z.object({
  takenAt: z.number().nullable(),
  slow: z.object({ objects: z.number(), since: z.number() }).nullable(),
  nextAt: z.number().nullable(),
  reloads: z.number(),
  failures: z.number(),
  lastError: z.object({ code: z.string(), message: z.string(), mend: z.string(), at: z.number() }).nullable(),
});

const point: z.ZodType<ShownPoint> = z.object({
  point: z.string(),
  kind: z.string(),
  state: z.string(),
  desiredRevision: z.number().nullable(),
  appliedRevision: z.number().nullable(),
  appliedAt: z.number().nullable(),
  lastCheckedAt: z.number().nullable(),
  drift: z.object({ count: z.number() }),
  lastError: z.object({ code: z.string(), message: z.string(), mend: z.string(), at: z.number() }).nullable(),
  objects: z.object({ enforce: z.number(), observe: z.number(), off: z.number() }),
  denials: z.object({
    stored: z.number(),
    uncovered: z.record(z.string(), z.number()).default({}),
    counted: z.number(),
  }),
  logError: z.object({ code: z.string(), message: z.string(), mend: z.string() }).nullable(),
  unfinished: z.array(z.string()),
  hazards: z.array(z.object({ object: z.string(), code: z.string(), words: z.string(), mend: z.string() })),
  proofs: z
    .array(
      z.object({
        object: z.string(),
        state: z.string(),
        why: z.string().nullable(),
        provenAtMs: z.number().nullable(),
      }),
    )
    .default([]),
  store: z
    .object({
      desiredVersion: z.number().nullable(),
      appliedVersion: z.number().nullable(),
      stale: z.boolean(),
      contradicted: z.boolean(),
      breakGlass: breakGlass.nullable(),
    })
    .nullable(),
  forwarder: forwarder.nullable().default(null),
  snapshot: snapshot.nullable().default(null),
  host: host.nullable(),
});

const sink: z.ZodType<ShownSink> = z.object({
  name: z.string(),
  state: z.string(),
  lagEvents: z.number(),
  lagSeconds: z.number(),
  error: z.object({ code: z.string(), message: z.string(), mend: z.string() }).nullable(),
});

export const statusAnswer: z.ZodType<ShownStatus> = z.object({
  version: z.string(),
  startedAtMs: z.number(),
  nowMs: z.number(),
  headline: z.string(),
  policy: z.object({
    state: z.string(),
    directory: z.string().nullable(),
    store: z.string().nullable(),
    revision: z.number(),
    changedAtMs: z.number().nullable(),
    errors: z.array(finding),
    warnings: z.number(),
    held: held.nullable(),
    nextChangeAtMs: z.number().nullable(),
  }),
  points: z.array(point),
  sinks: z.array(sink).default([]),
});

export const acceptedAnswer: z.ZodType<{ accepted: number }> = z.object({ accepted: z.number() });

export interface Denial {
  id?: number | undefined;
  ref: string | null;
  /** The last one. */
  time: string;
  /** The first one. */
  windowStart: string;
  count: number;
  point: string;
  object: string;
  source: string;
  sourceWorkloads: string[];
  sourceNetworks: string[];
  sourceLabels: Record<string, string>;
  peer: string | null;
  port: string;
  method: string | null;
  path: string | null;
  /** Not all of the request was kept. */
  truncated?: boolean | undefined;
  host: string | null;
  verdict: 'deny' | 'would-deny';
  reason: string;
  rule: string | null;
  revision: number;
  nearestRule: string | null;
  missed: string | null;
}

const denial: z.ZodType<Denial> = z.object({
  id: z.number().optional(),
  ref: z.string().nullable(),
  time: z.iso.datetime(),
  windowStart: z.iso.datetime(),
  count: z.number(),
  point: z.string(),
  object: z.string(),
  source: z.string(),
  sourceWorkloads: z.array(z.string()),
  sourceNetworks: z.array(z.string()),
  sourceLabels: z.record(z.string(), z.string()),
  peer: z.string().nullable(),
  port: z.string(),
  method: z.string().nullable(),
  path: z.string().nullable(),
  truncated: z.boolean().optional(),
  host: z.string().nullable(),
  verdict: z.enum(['deny', 'would-deny']),
  reason: z.string(),
  rule: z.string().nullable(),
  revision: z.number(),
  nearestRule: z.string().nullable(),
  missed: z.string().nullable(),
});

/** Denials that a point counted and has no record of. */
export interface Uncovered {
  point: string;
  cause: string;
  count: number;
}

export interface DenialPage {
  denials: Denial[];
  /** Of the same time; with the first page alone. */
  uncovered: Uncovered[];
  /** Leads to what is stored later. */
  after: number | null;
  /** Leads to the rest of what was asked for; null: there is none. */
  cursor: string | null;
}

export const denialsAnswer: z.ZodType<DenialPage> = z.object({
  denials: z.array(denial),
  uncovered: z.array(z.object({ point: z.string(), cause: z.string(), count: z.number() })).default([]),
  after: z.number().nullable(),
  cursor: z.string().nullable().default(null),
});

export interface Why {
  event: Denial;
  nearestRule: string | null;
  missed: string | null;
  /** The revision that denied it. */
  judgedAt: number;
  /** How the same flow would be judged now; null where no policy is loaded, or not all of the request was kept. */
  now: { verdict: 'allow' | 'deny'; revision: number; words: string } | null;
}

export const whyAnswer: z.ZodType<Why> = z.object({
  event: denial,
  nearestRule: z.string().nullable(),
  missed: z.string().nullable(),
  judgedAt: z.number(),
  now: z.object({ verdict: z.enum(['allow', 'deny']), revision: z.number(), words: z.string() }).nullable(),
});
