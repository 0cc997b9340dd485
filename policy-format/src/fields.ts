import * as z from 'zod';
import { DIGEST } from './digest.ts';
import { GROUP, NAME } from './name.ts';
import { refused } from './refusal.ts';

/** The kinds of field that documents here are made of, each with one spelling. Schemas are strict: no key more or less. */
export const nameField: z.ZodType<string> = z.string().regex(NAME, 'is no name');
export const groupField: z.ZodType<string> = z.string().regex(GROUP, 'is no id of a group');
export const digestField: z.ZodType<string> = z.string().regex(DIGEST, 'is no sha256 in lower-case hex');
export const storeField: z.ZodType<string> = z.string().regex(/^[0-9a-f]{32}$/, 'is no id of a store: 32 hex digits');
/** As `Date.toISOString` writes it, for the years that have four digits. */
export const instantField: z.ZodType<string> = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/, 'is no time in UTC with milliseconds')
  .refine(isInstant, 'is no time that exists');
export const countField: z.ZodType<number> = z.int().min(0);
export const ordinalField: z.ZodType<number> = z.int().min(1);
/** What a person wrote, shown to another before that one signs: nothing in it moves a cursor or turns the text round. */
export const sentenceField: z.ZodType<string> = z
  .string()
  .min(1)
  .max(1000)
  .refine((text) => !UNSHOWABLE.test(text), 'holds characters that control a terminal or the direction of text');

/** Texts in ascending order of their code units, each once. */
export function ascends(texts: readonly string[]): boolean {
  return texts.every((it, at) => at === 0 || (texts[at - 1] as string) < it);
}

export const NOT_ASCENDING = 'is not sorted, each once';

/** `value` as the schema has it, or `code` with the first few places that differ. */
export function readAs<Value>(schema: z.ZodType<Value>, value: unknown, code: string, what: string): Value {
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const places = read.error.issues.slice(0, 5).map((issue) => `${issue.path.join('.') || 'it'}: ${issue.message}`);
  throw refused(code, `${what}: ${shown(places.join('; '))}`);
}

/** Texts of a stranger inside a message: printable, and not endless. */
export function shown(text: string): string {
  const safe = text.replace(ANY_UNSHOWABLE, '\u{fffd}');
  return safe.length > 500 ? `${safe.slice(0, 500)}…` : safe;
}

/** Control characters, line separators, marks and overrides of direction, halves of surrogate pairs. */
const UNSHOWABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/u;
const ANY_UNSHOWABLE = new RegExp(UNSHOWABLE.source, 'gu');

function isInstant(text: string): boolean {
  const ms = Date.parse(text);
  return !Number.isNaN(ms) && new Date(ms).toISOString() === text;
}
