/**
 * Configuration from one schema: flag, then environment, then file value, then default. Every problem is reported at
 * once, with its path, its value and what is accepted. It reads no file: the caller parses YAML and passes the value.
 */
import type * as z from 'zod';
import { describeProblems } from './config-problems.ts';
import { describeSchema, type SchemaRow } from './config-schema.ts';
import { EdgewardError } from './errors.ts';

export interface ConfigInput<S extends z.ZodType> {
  /** Strict objects all the way down, or unknown keys pass. */
  schema: S;
  /** What the file held, already parsed; null or undefined for an empty file or none. */
  value: unknown;
  /** Named in messages. */
  file?: string;
  env?: Record<string, string | undefined>;
  envPrefix?: string;
  /** Variables with the prefix that are no configuration; any other unknown one is refused. */
  otherEnv?: string[];
  /** By dotted path, `status.port`; undefined ones were not given. Strings are read as environment values are. */
  flags?: Record<string, unknown>;
}

/** Throws EDW_ERR_CONFIG. */
export function loadConfig<S extends z.ZodType>(input: ConfigInput<S>): z.infer<S> {
  const rows = describeSchema(input.schema, input.envPrefix);
  const value = structuredClone(input.value ?? {});
  const problems: string[] = [];
  const origins = new Map<string, string>();
  if (isRecord(value)) {
    overlayEnv(value, rows, input, origins, problems);
    overlayFlags(value, rows, input.flags ?? {}, origins, problems);
  }
  const parsed = input.schema.safeParse(value);
  if (!parsed.success) problems.push(...describeProblems(parsed.error.issues, input.schema, value, origins));
  if (parsed.success && problems.length === 0) return parsed.data;
  const place = input.file ?? 'the configuration';
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  throw new EdgewardError('EDW_ERR_CONFIG', `reading ${place}: ${count}\n  ${problems.join('\n  ')}`, {
    mend: 'Correct what is listed; docs/configuration.md describes every key.',
  });
}

function overlayEnv(
  value: Record<string, unknown>,
  rows: SchemaRow[],
  input: ConfigInput<z.ZodType>,
  origins: Map<string, string>,
  problems: string[],
): void {
  const prefix = input.envPrefix ?? 'EDGEWARD_';
  const byName = new Map(rows.filter((row) => row.env !== null).map((row) => [row.env, row]));
  for (const [name, text] of Object.entries(input.env ?? {}).toSorted()) {
    if (!name.startsWith(prefix) || text === undefined || input.otherEnv?.includes(name)) continue;
    const row = byName.get(name);
    if (row !== undefined) overlay(value, row, text, name, origins);
    else if (!isServiceLink(name)) problems.push(`${name}: unknown environment variable`);
  }
}

function overlayFlags(
  value: Record<string, unknown>,
  rows: SchemaRow[],
  flags: Record<string, unknown>,
  origins: Map<string, string>,
  problems: string[],
): void {
  for (const [path, given] of Object.entries(flags)) {
    if (given === undefined) continue;
    const row = rows.find((candidate) => candidate.path === path);
    if (row === undefined) problems.push(`${path}: unknown flag`);
    else overlay(value, row, given, `flag ${path}`, origins);
  }
}

function overlay(
  value: Record<string, unknown>,
  row: SchemaRow,
  given: unknown,
  origin: string,
  origins: Map<string, string>,
): void {
  origins.set(row.path, origin);
  setAt(value, row.path.split('.'), typeof given === 'string' ? readText(given, row.type) : given);
}

/** What cannot be read as its type stays text, so that the schema refuses it together with everything else. */
function readText(text: string, type: string): unknown {
  if (/^(number|integer)$/.test(type) && text.trim() !== '' && Number.isFinite(Number(text))) return Number(text);
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  if (/^[[{]/.test(text) && !type.startsWith('string')) return parseJson(text);
  if (type === 'string[]') return text === '' ? [] : text.split(',').map((item) => item.trim());
  return text;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function setAt(target: Record<string, unknown>, path: string[], value: unknown): void {
  const [key = '', ...rest] = path;
  if (rest.length === 0) {
    target[key] = value;
    return;
  }
  const child = target[key] ?? {};
  // A child of another type stays as it is: the schema will name it.
  if (!isRecord(child)) return;
  target[key] = child;
  setAt(child, rest, value);
}

/** Kubernetes and Docker set these beside a service named `edgeward`; they are nobody's typing error. */
function isServiceLink(name: string): boolean {
  return /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT|PORT_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)$/.test(name);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
