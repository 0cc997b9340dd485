import * as z from 'zod';
import { countField, instantField, nameField, readAs, shown } from './fields.ts';
import { type Checkpoint, checkpointSchema } from './head.ts';

/** What the service at a point tells its store, about once a minute and whenever something changed. */
export interface PointReport {
  typ: 'edgeward-report/1';
  point: string;
  at: string;
  /** The service that speaks, of several beside one another. */
  service: string;
  epoch: number;
  /** Of the newest head that was taken over here; 0 before the first. */
  revision: number;
  /** That the point itself holds; null before the first, and where it can not be reached. */
  applied: number | null;
  state: PointReportState;
  /** Why the newest head was not taken over, or not applied. */
  nack: Nack | null;
  /** The checkpoint of the greatest size that a head ever carried here, and whether another one contradicted it. */
  witnessed: Checkpoint | null;
  contradicted: boolean;
  /** Denials enforced since the service started, and when that was: a rate for who rolls out. */
  denials: { total: number; sinceMs: number };
}

export const POINT_REPORT_STATES = ['current', 'applying', 'behind', 'unreachable', 'no-policy'] as const;

type PointReportState = (typeof POINT_REPORT_STATES)[number];

export interface Nack {
  revision: number;
  stage: NackStage;
  code: string;
  message: string;
}

/** In this order. */
const STAGES = ['fetch', 'head', 'root', 'approval', 'rules', 'members', 'fence', 'state', 'compile', 'apply'] as const;

export type NackStage = (typeof STAGES)[number];

const MAX_TEXT = 2000;

const nack: z.ZodType<Nack> = z.strictObject({
  revision: countField,
  stage: z.enum(STAGES),
  code: z.string().regex(/^EDW_[A-Z0-9_]{1,64}$/, 'is no code'),
  message: z.string().max(MAX_TEXT),
});

export const pointReportSchema: z.ZodType<PointReport> = z.strictObject({
  typ: z.literal('edgeward-report/1'),
  point: nameField,
  at: instantField,
  service: z.string().min(1).max(255),
  epoch: countField,
  revision: countField,
  applied: countField.nullable(),
  state: z.enum(POINT_REPORT_STATES),
  nack: nack.nullable(),
  witnessed: checkpointSchema.nullable(),
  contradicted: z.boolean(),
  denials: z.strictObject({ total: countField, sinceMs: countField }),
});

/**
 * What a service says of a point; that it may speak for it is for the caller to know. Texts come back as they can be shown.
 * Throws EDW_ERR_FORMAT_REPORT.
 */
export function pointReportOf(value: unknown): PointReport {
  const report = readAs(pointReportSchema, value, 'EDW_ERR_FORMAT_REPORT', 'the report');
  const { nack: told } = report;
  return {
    ...report,
    service: shown(report.service),
    nack: told === null ? null : { ...told, message: shown(told.message) },
  };
}
