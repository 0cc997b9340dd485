/**
 * What a point asks its store with, over and over on one connection: what it holds, how long it would wait for something
 * newer, and what it has to tell. Of a report only what the rest does not say travels: thousands of points ask each few
 * seconds. Nothing in it is believed about who asks.
 */
import * as z from 'zod';
import type { Cursor } from './delta.ts';
import { countField, instantField, readAs } from './fields.ts';
import type { Checkpoint } from './head.ts';
import { cursorIn, type SignedHead, tagOf } from './point-answer.ts';
import { type PointReport, pointReportOf } from './point-report.ts';
import { refused } from './refusal.ts';

/** As it is asked. */
export interface PointQuestion {
  /** What was taken over. */
  held: SignedHead;
  waitMs: number;
  report: PointReport | null;
}

/** As it arrives. */
export interface AskedQuestion {
  from: Cursor;
  /** Of the head that is held: the same state, signed anew, has a later one. */
  issuedAt: string;
  /** Of what seldom changes in it. */
  tag: string;
  waitMs: number;
  report: PointReport | null;
}

interface Wire {
  from: string;
  issuedAt: string;
  tag: string;
  waitMs: number;
  report?: Record<string, unknown> | undefined;
}

const CURSOR = /^(\d{1,16})\.(\d{1,16})\.([0-9a-f]{64})$/;

const wire: z.ZodType<Wire> = z.strictObject({
  from: z.string().regex(CURSOR, 'is no EPOCH.REVISION.STATEROOT'),
  issuedAt: instantField,
  tag: z.string().regex(/^[0-9a-f]{12}$/, 'is no tag'),
  waitMs: countField,
  report: z.looseObject({}).optional(),
});

/** `EPOCH.REVISION.STATEROOT` */
export function formatCursor({ epoch, revision, stateRoot }: Cursor): string {
  return `${epoch}.${revision}.${stateRoot}`;
}

/** As it travels. */
export function questionText({ held, waitMs, report }: PointQuestion): string {
  const { head } = held;
  const from = cursorIn(head);
  const asked = { from: formatCursor(from), issuedAt: head.issuedAt, tag: tagOf(held), waitMs };
  if (report === null) return JSON.stringify(asked);
  const usual = usualReport(report.point, from, report.revision, head.log);
  return JSON.stringify({ ...asked, report: unlike(report, usual) });
}

/**
 * Of this point, whoever it says. `logOf` is the checkpoint in the head that was issued then, where it is known. Throws
 * EDW_ERR_FORMAT_QUESTION, EDW_ERR_FORMAT_REPORT.
 */
export function questionOf(
  value: unknown,
  point: string,
  logOf: (asked: Omit<AskedQuestion, 'report'>) => Checkpoint | null,
): AskedQuestion {
  const { report, ...rest } = readAs(wire, value, 'EDW_ERR_FORMAT_QUESTION', 'the question');
  const asked = { ...rest, from: cursorOf(rest.from) };
  if (report === undefined) return { ...asked, report: null };
  const { revision = asked.from.revision } = report;
  return { ...asked, report: pointReportOf({ ...usualReport(point, asked.from, revision, logOf(asked)), ...report }) };
}

/** What a point tells that is well, and holds what it says that it holds. */
function usualReport(point: string, from: Cursor, revision: unknown, witnessed: Checkpoint | null): object {
  return {
    ...{ typ: 'edgeward-report/1', point, epoch: from.epoch, revision: from.revision, applied: revision },
    ...{ state: 'current', nack: null, witnessed, contradicted: false },
  };
}

function unlike(report: PointReport, usual: object): object {
  const texts = new Map(Object.entries(usual).map(([key, value]) => [key, JSON.stringify(value)]));
  return Object.fromEntries(Object.entries(report).filter(([key, value]) => texts.get(key) !== JSON.stringify(value)));
}

function cursorOf(text: string): Cursor {
  const [, epoch, revision, stateRoot = ''] = CURSOR.exec(text) ?? [];
  const cursor = { epoch: Number(epoch), revision: Number(revision), stateRoot };
  if (!Number.isSafeInteger(cursor.epoch) || !Number.isSafeInteger(cursor.revision))
    throw refused('EDW_ERR_FORMAT_QUESTION', 'the question: its cursor counts too far');
  return cursor;
}
