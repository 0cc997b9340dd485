import type { Interval } from './address.ts';
import { parseAddress, parseCidr } from './address.ts';
import type { PolicyCode } from './codes.ts';
import { POLICY_ERRORS, POLICY_WARNINGS } from './codes.ts';
import type { PortRange } from './compiled.ts';
import type { Finding, Path, SourceDocument } from './finding.ts';
import { parsePortRange } from './ports.ts';

/**
 * Unknown in, typed out: reads the fields of one mapping, reporting everything that is wrong with it instead of
 * stopping at the first. A field that can't be read gives its fallback, so that reading goes on.
 */
export interface Fields {
  path: Path;
  has(key: string): boolean;
  raw(key: string): unknown;
  /** Reports a finding at a field, or at the mapping itself for ''. */
  report(code: PolicyCode, key: string | Path, message: string): void;
}

export type Report = (code: PolicyCode, path: Path, message: string) => void;

export function reporter(document: SourceDocument, findings: Finding[]): Report {
  return (code, path, message) => {
    findings.push(findingAt(document, path, code, message));
  };
}

export function findingAt(document: SourceDocument, path: Path, code: PolicyCode, message: string): Finding {
  const place = document.locate(path, code === 'EDW_ERR_UNKNOWN_KEY' ? 'key' : 'value');
  const error = (POLICY_ERRORS as Record<string, string>)[code];
  return {
    severity: error === undefined ? 'warning' : 'error',
    code,
    file: document.file,
    line: place.line,
    column: place.column,
    message: onOneLine(message),
    mend: error ?? (POLICY_WARNINGS as Record<string, string>)[code] ?? '',
  };
}

const NAME: RegExp = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** Messages quote what was written: nothing in it may end a line of a log or steer a terminal. */
function onOneLine(message: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  return message.replace(/[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u${`000${character.charCodeAt(0).toString(16)}`.slice(-4)}`;
  });
}

export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Opens a mapping: unknown and missing keys are reported at once. */
export function openFields(
  value: unknown,
  path: Path,
  required: string[],
  optional: string[],
  report: Report,
): Fields | null {
  if (!isMapping(value)) {
    report('EDW_ERR_TYPE', path, `${nameOf(path)} must be a mapping, not ${describe(value)}`);
    return null;
  }
  const own = Object.prototype.hasOwnProperty;
  Object.keys(value).forEach((key) => {
    if (required.indexOf(key) >= 0 || optional.indexOf(key) >= 0) return;
    const near = nearest(key, required.concat(optional));
    const hint = near === null ? '' : `; did you mean '${near}'?`;
    report('EDW_ERR_UNKNOWN_KEY', path.concat([key]), `unknown key '${key}' in ${nameOf(path)}${hint}`);
  });
  required.forEach((key) => {
    if (!own.call(value, key)) report('EDW_ERR_MISSING_KEY', path, `${nameOf(path)} needs the key '${key}'`);
  });
  return {
    path,
    has: (key) => own.call(value, key),
    raw: (key) => (own.call(value, key) ? value[key] : undefined),
    report: (code, key, message) =>
      report(code, typeof key === 'string' ? path.concat(key === '' ? [] : [key]) : path.concat(key), message),
  };
}

export function readString(fields: Fields, key: string, fallback: string): string {
  if (!fields.has(key)) return fallback;
  const value = fields.raw(key);
  if (typeof value === 'string') return value;
  fields.report('EDW_ERR_TYPE', key, `'${key}' must be a string, not ${describe(value)}`);
  return fallback;
}

export function readName(fields: Fields, key: string): string {
  if (!fields.has(key)) return '';
  const value = fields.raw(key);
  if (typeof value === 'string' && NAME.test(value)) return value;
  fields.report('EDW_ERR_NAME', key, `'${key}' is no name: ${describe(value)}`);
  return '';
}

export function readChoice<T extends string>(fields: Fields, key: string, choices: readonly T[], fallback: T): T {
  if (!fields.has(key)) return fallback;
  const value = fields.raw(key);
  if (choices.indexOf(value as T) >= 0) return value as T;
  fields.report('EDW_ERR_CHOICE', key, `'${key}' must be ${choices.join(', ')}, not ${describe(value)}`);
  return fallback;
}

export function readTime(fields: Fields, key: string): number | null {
  if (!fields.has(key)) return null;
  const value = fields.raw(key);
  const ms = typeof value === 'string' && TIME.test(value) ? Date.parse(value) : Number.NaN;
  // Date.parse rolls 31 February over into March; a time that does not read back as written was no time.
  if (!Number.isNaN(ms) && new Date(ms).toISOString().slice(0, 19) === (value as string).slice(0, 19)) return ms;
  fields.report('EDW_ERR_TIME', key, `'${key}' is no UTC time: ${describe(value)}`);
  return null;
}

const TIME = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,3})?Z$/;

/** A list read entry by entry; entries that can't be read are left out after `readEntry` reported them. */
export function readList<T>(
  fields: Fields,
  key: string,
  allowEmpty: boolean,
  readEntry: (value: unknown, path: Path) => T | null,
): T[] {
  if (!fields.has(key)) return [];
  const value = fields.raw(key);
  if (!Array.isArray(value)) {
    fields.report('EDW_ERR_TYPE', key, `'${key}' must be a list, not ${describe(value)}`);
    return [];
  }
  if (value.length === 0 && !allowEmpty) fields.report('EDW_ERR_EMPTY_LIST', key, `'${key}' is an empty list`);
  const out: T[] = [];
  value.forEach((entry: unknown, index) => {
    const read = readEntry(entry, [key, index]);
    if (read !== null) out.push(read);
  });
  return out;
}

export function readAddresses(fields: Fields, key: string): string[] {
  return readList(fields, key, true, (value, path) => {
    const address = typeof value === 'string' ? parseAddress(value) : null;
    if (address === null) fields.report('EDW_ERR_ADDRESS', path, `${describe(value)} is no address`);
    return address;
  });
}

export function readCidrs(fields: Fields, key: string, allowEmpty: boolean): Interval[] {
  return readList(fields, key, allowEmpty, (value, path) => readCidr(fields, value, path));
}

export function readCidr(fields: Fields, value: unknown, path: Path): Interval | null {
  const interval = typeof value === 'string' ? parseCidr(value) : null;
  if (interval === null) {
    fields.report('EDW_ERR_CIDR', path, `${describe(value)} is no CIDR`);
    return null;
  }
  if (interval === 'host-bits') {
    fields.report('EDW_ERR_HOST_BITS', path, `${describe(value)} has bits set beyond its prefix length`);
    return null;
  }
  return interval;
}

export function readPorts(fields: Fields, key: string): PortRange[] {
  return readList(fields, key, false, (value, path) => {
    const range = typeof value === 'string' ? parsePortRange(value) : null;
    if (range === null) {
      fields.report('EDW_ERR_PORT', path, `${describe(value)} is no port`);
      return null;
    }
    if (range === 'upside-down') {
      fields.report('EDW_ERR_PORT_RANGE', path, `${describe(value)} ends before it begins`);
      return null;
    }
    return range;
  });
}

export function readNames(fields: Fields, key: string): string[] {
  return readList(fields, key, false, (value, path) => {
    if (typeof value === 'string' && NAME.test(value)) return value;
    fields.report('EDW_ERR_NAME', path, `${describe(value)} is no name`);
    return null;
  });
}

/** A value as a message may show it: short, on one line, quoted where it is text. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

function nameOf(path: Path): string {
  const last = path[path.length - 1];
  if (last === undefined) return 'the document';
  return typeof last === 'number' ? `entry ${last + 1} of '${String(path[path.length - 2] ?? '')}'` : `'${last}'`;
}

/** The known key that is at most two edits away. */
function nearest(key: string, known: string[]): string | null {
  let best: string | null = null;
  let bestDistance = 3;
  known.forEach((candidate) => {
    const distance = editDistance(key.slice(0, 40), candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  });
  return best;
}

function editDistance(a: string, b: string): number {
  let row: number[] = [];
  for (let j = 0; j <= b.length; j += 1) row.push(j);
  for (let i = 1; i <= a.length; i += 1) {
    const next: number[] = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const swap = (row[j - 1] as number) + (a.charAt(i - 1) === b.charAt(j - 1) ? 0 : 1);
      next.push(Math.min(swap, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
