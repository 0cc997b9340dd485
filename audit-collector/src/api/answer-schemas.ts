/** The answers as schemas: what `docs/denials-openapi.json` says of them, and what tests hold them to. */

import { type DenyReason, type DenyVerdict, denyReasons } from '@edgeward/deny-log';
import * as z from 'zod';
import type { Uncovered } from '../ledger/ledger.ts';
import type { DenialsAnswer } from './denials-page.ts';
import type { EdgesAnswer, SeenEdge } from './edges-answer.ts';
import { type FlatDenial, flatDenialSchema } from './flat-denial.ts';
import type { SummaryAnswer } from './summary.ts';
import type { WhyAnswer } from './why-answer.ts';

export interface AnswerSchemas {
  Denial: z.ZodType<FlatDenial>;
  Uncovered: z.ZodType<Uncovered>;
  Denials: z.ZodType<DenialsAnswer>;
  Why: z.ZodType<WhyAnswer>;
  Summary: z.ZodType<SummaryAnswer>;
  Edge: z.ZodType<SeenEdge>;
  Edges: z.ZodType<EdgesAnswer>;
}

const count = z.int().min(0).describe('Denials; an event may stand for several');
const labels = z.record(z.string(), z.string());
const setOfLabels = labels.nullable().describe('null: one of the sets past the bound of the ledger');
const time = z.iso.datetime();
const reason: z.ZodType<DenyReason> = z.enum(denyReasons);
const verdict: z.ZodType<DenyVerdict> = z.enum(['deny', 'would-deny']);
const cutShort = z.boolean();

const uncovered = z
  .strictObject({
    point: z.string(),
    cause: z.string().describe('Why there is no record; docs/deny-event.md has them'),
    count: z.int().min(1),
    windowStart: time,
    windowEnd: time,
  })
  .describe('Denials that a point counted and has no record of') as unknown as z.ZodType<Uncovered>;

const denials: z.ZodType<DenialsAnswer> = z.strictObject({
  denials: z.array(flatDenialSchema),
  uncovered: z.array(uncovered).describe('Since `sinceMs` or the first denial of the page; with the first page alone'),
  after: z.int().min(0).describe('Leads to what is stored after this page was asked for'),
  cursor: z.string().nullable().describe('Leads to the next page; null: there is none'),
  cutShort: cutShort.describe('The search took too long and ended early: the cursor goes on from there'),
});

const edge: z.ZodType<SeenEdge> = z.strictObject({
  sourceLabels: setOfLabels,
  object: z.string(),
  port: z.string(),
  count,
  firstSeen: time,
  lastSeen: time,
  firstRevision: z.int().min(0).describe('Revision of the policy that denied it first'),
});

const summary: z.ZodType<SummaryAnswer> = z.strictObject({
  per: z.enum(['minute', 'hour']),
  sinceMs: z.int(),
  untilMs: z.int().nullable(),
  count,
  times: z.array(z.strictObject({ time: time.describe('Start of the minute or hour'), count })),
  reasons: z.array(z.strictObject({ reason, verdict, count })),
  rules: z.array(z.strictObject({ rule: z.string().nullable().describe('null: no rule decided'), count })),
  objects: z.array(z.strictObject({ object: z.string(), count })),
  points: z
    .array(z.strictObject({ point: z.string(), count }))
    .nullable()
    .describe('null: by hour they are not kept'),
  sources: z
    .array(z.strictObject({ labels: setOfLabels, count }))
    .nullable()
    .describe('null: by minute they are not kept'),
  cutShort: cutShort.describe('There are more sums than are read for one answer; the earliest were left out'),
});

/** As docs/api.md has it; the words are those of `edgeward explain`. */
const explanation = z.looseObject({
  verdict: z.enum(['allow', 'deny']),
  reason: z.string(),
  rule: z.string().nullable(),
  revision: z.int(),
  mode: z.string().nullable(),
  object: z.string(),
  objectLabels: labels,
  source: z.looseObject({
    address: z.string(),
    workloads: z.array(z.string()),
    networks: z.array(z.string()),
    labels,
  }),
  nearestRule: z.string().nullable(),
  missed: z.string().nullable(),
  words: z.string(),
});

const why = z.strictObject({
  event: flatDenialSchema,
  nearestRule: z.string().nullable(),
  missed: z.string().nullable(),
  judgedAt: z.int().min(0).describe('Revision that judged'),
  now: explanation
    .nullable()
    .describe(
      'How the same flow would be judged now; null where no policy is known, or not all of the request was kept',
    ),
}) as unknown as z.ZodType<WhyAnswer>;

export const answerSchemas: AnswerSchemas = {
  Denial: flatDenialSchema,
  Uncovered: uncovered,
  Denials: denials,
  Why: why,
  Summary: summary,
  Edge: edge,
  Edges: z.strictObject({
    edges: z.array(edge),
    cutShort: cutShort.describe('There are more than are answered; those that were seen last are there'),
  }),
};
