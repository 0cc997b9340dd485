import * as z from 'zod';
import { codeField, countField, hashField, instantField, readAs, wordsField } from './fields.ts';

/** What the agent of a host tells its service, about once a minute and at once when something changed. */
export interface HostReport {
  v: 1;
  /** Its version. */
  agent: string;
  backend: 'nft' | 'legacy';
  startedAt: string;
  /** The time at the host. */
  clock: string;
  /** What judges packets there. */
  applied: { revision: number; hash: string } | null;
  /** `observed`: it was to be enforced, and that was refused; `nack` says why. */
  state: HostState;
  mode: 'enforce' | 'observe' | 'off' | null;
  /** Whether the host itself verified people's approvals of what is in force; null where nothing is. An older agent does not say it. */
  approvals?: 'verified' | 'unverified' | null;
  /** Both families' digests of the rules that stand, `16hex:16hex`. */
  rules: string | null;
  nack: HostNack | null;
  /** In words, at most 20. */
  drift: string[];
  repairs: { count: number; last: { at: string; words: string; process: string | null } | null };
  /** Totals since the agent's state began; `pending` are records in the spool now. */
  denials: HostDenialCounts;
  /** Packets of the host that began something, since the agent's state began. An older agent does not count them. */
  outgoing?: HostOutgoing;
  certificateEnds: string;
  warnings: string[];
}

export type HostState = (typeof HOST_STATES)[number];

export const HOST_STATES = ['applied', 'observed', 'refused', 'rolled-back', 'contended', 'no-policy'] as const;

export interface HostNack {
  revision: number;
  code: string;
  message: string;
}

export interface HostDenialCounts {
  denied: number;
  sampled: number;
  notSampled: number;
  netlinkDrops: number;
  pending: number;
  gaps: number;
}

/** First packets, and those sent again before an answer; `other` is neither TCP nor UDP. Loopback is left out. */
export interface HostOutgoing {
  tcp: number;
  udp: number;
  other: number;
}

/** How often a host reports when nothing happens, and by how much of it a turn may be longer or shorter. */
export const HEARTBEAT_MS = 60_000;
export const HEARTBEAT_JITTER = 0.1;
/** A host that was not heard for so long is stale: three reports, each as late as it may be. */
export const STALE_AFTER_MS: number = Math.ceil(3 * HEARTBEAT_MS * (1 + HEARTBEAT_JITTER));

/** Larger than any report that fits the schema. */
export const MAX_REPORT_BYTES: number = 128 * 1024;
const MAX_LINES = 20;

const words = wordsField(500);
const nack: z.ZodType<HostNack> = z.object({ revision: countField, code: codeField, message: wordsField(2000) });
const repair = z.object({ at: instantField, words, process: wordsField(200).nullable() });

export const hostReportSchema: z.ZodType<HostReport> = z.object({
  v: z.literal(1),
  agent: wordsField(64),
  backend: z.enum(['nft', 'legacy']),
  startedAt: instantField,
  clock: instantField,
  applied: z.object({ revision: countField, hash: hashField }).nullable(),
  state: z.enum(HOST_STATES),
  mode: z.enum(['enforce', 'observe', 'off']).nullable(),
  approvals: z.enum(['verified', 'unverified']).nullable().exactOptional(),
  rules: z
    .string()
    .regex(/^[0-9a-f]{16}:[0-9a-f]{16}$/, 'is not 16hex:16hex')
    .nullable(),
  nack: nack.nullable(),
  drift: z.array(words).max(MAX_LINES),
  repairs: z.object({ count: countField, last: repair.nullable() }),
  denials: z.object({
    denied: countField,
    sampled: countField,
    notSampled: countField,
    netlinkDrops: countField,
    pending: countField,
    gaps: countField,
  }),
  outgoing: z.object({ tcp: countField, udp: countField, other: countField }).exactOptional(),
  certificateEnds: instantField,
  warnings: z.array(words).max(MAX_LINES),
});

/** Throws EDW_ERR_HOST_REPORT. */
export function hostReportOf(value: unknown): HostReport {
  return readAs(hostReportSchema, value, {
    code: 'EDW_ERR_HOST_REPORT',
    what: 'the report of a host',
    mend: 'Run the same version of Edgeward at the service and on the host.',
  });
}

/** What the service answers to a report: its time, and the newest revision that it has for this host. */
export interface HostReportAnswer {
  now: string;
  revision: number | null;
}

export const hostReportAnswerSchema: z.ZodType<HostReportAnswer> = z.object({
  now: instantField,
  revision: countField.nullable(),
});
