/**
 * Denials for a spreadsheet: RFC 4180, one record a denial, every field quoted. Text of strangers is in it, and a spreadsheet
 * runs what looks like a formula: an apostrophe is put before each such beginning of a cell, also where another separator than
 * the comma would begin one. Controls are shown as escapes. What is exact is `--json`.
 */
import { printable } from '../frame/terminal-text.ts';

const columns = [
  ...['id', 'time', 'windowStart', 'windowEnd', 'count', 'verdict', 'reason', 'rule', 'revision', 'point'],
  ...['source', 'sourcePort', 'sourceWorkloads', 'sourceNetworks', 'sourceLabels', 'labelsRevision', 'peer'],
  ...['object', 'objectLabels', 'port', 'method', 'host', 'path', 'truncated', 'nearestRule', 'missed', 'ref'],
] as const;

export const csvHeader: string = recordOf(columns);

export function csvRecord(denial: Readonly<Record<string, unknown>>): string {
  return recordOf(columns.map((name) => harmless(textOf(denial[name]))));
}

function recordOf(cells: readonly string[]): string {
  return `${cells.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(',')}\r\n`;
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (Array.isArray(value)) return value.map(textOf).join(' ');
  if (typeof value !== 'object') return String(value);
  return Object.entries(value)
    .map(([key, held]) => `${key}=${textOf(held)}`)
    .sort()
    .join(',');
}

/** `=`, `+`, `-`, `@`, also in their full width, first in a cell or behind what may separate two; spaces hide none. */
const formula = /(^|[;,|"'])(\s*)([=+\-@\uff1d\uff0b\uff0d\uff20])/g;

function harmless(text: string): string {
  // Escapes first: of a tab or a line's end that begins a cell only words are left.
  return printable(text).replace(formula, "$1$2'$3");
}
