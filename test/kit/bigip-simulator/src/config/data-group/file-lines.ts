/**
 * Files of external data groups, a line at a time: `host 10.0.0.1 := "v",`, `network 10.0.0.0%2 prefixlen 8,`,
 * `"key" := "value",`, `80 := v,`. A file of a million lines is read without a copy of it.
 */
import { parseNetwork } from '../address.ts';
import { type GroupType, keyOf } from './records.ts';

export interface FileProblem {
  line: number;
  reason: string;
}

/** Lines with a record in them; problems end the reading. */
export function readGroupFile(
  content: string,
  type: GroupType,
  separator: string,
): { state: 'read'; records: number } | { state: 'refused'; problem: FileProblem } {
  let records = 0;
  let line = 0;
  for (let from = 0; from < content.length; ) {
    const newline = content.indexOf('\n', from);
    const end = newline === -1 ? content.length : newline;
    const said = content.slice(from, end).trim();
    from = end + 1;
    line++;
    if (said === '' || said.startsWith('#')) continue;
    const reason = problemOf(said, type, separator);
    if (reason !== null) return { state: 'refused', problem: { line, reason } };
    records++;
  }
  return { state: 'read', records };
}

function problemOf(line: string, type: GroupType, separator: string): string | null {
  const said = line.endsWith(',') ? line.slice(0, -1).trimEnd() : line;
  const { key, rest } = splitKey(said, separator);
  if (rest === null) return `unexpected text after the key: ${said}`;
  if (rest !== '' && !isValue(rest)) return `unbalanced quotes in the value: ${said}`;
  if (type === 'ip') return isNetwork(key) ? null : `not an address: ${key}`;
  const name = unquoted(key);
  if (name === null || name === '') return `not a key: ${key}`;
  return isKey(name, type) ? null : `not ${type === 'integer' ? 'an integer' : 'a string'}: ${key}`;
}

/** `rest` is what follows the separator; null when something else follows the key. */
function splitKey(said: string, separator: string): { key: string; rest: string | null } {
  const end = said.startsWith('"') ? closing(said) + 1 : said.indexOf(separator);
  if (end <= 0) return { key: said, rest: '' };
  const key = said.slice(0, end).trimEnd();
  const after = said.slice(end).trimStart();
  if (after === '') return { key, rest: '' };
  return { key, rest: after.startsWith(separator) ? after.slice(separator.length).trim() : null };
}

/** Where the quote stands that closes the first one; -1 when none does. */
function closing(text: string): number {
  for (let at = 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at;
  }
  return -1;
}

function unquoted(text: string): string | null {
  if (!text.startsWith('"')) return text;
  return closing(text) === text.length - 1 && text.length > 1 ? text.slice(1, -1).replace(/\\(.)/g, '$1') : null;
}

const isValue = (text: string): boolean => unquoted(text) !== null;

/** `host A`, `network A prefixlen N`, `network A mask M`, `network A/N`. */
function isNetwork(key: string): boolean {
  const [kind, address = '', how, said = '', ...more] = key.split(/\s+/);
  if (more.length > 0) return false;
  if (kind === 'host') return how === undefined && !address.includes('/') && parseNetwork(address) !== null;
  if (kind !== 'network') return false;
  if (how === undefined) return address.includes('/') && parseNetwork(address) !== null;
  const form = how === 'prefixlen' ? /^\d{1,3}$/ : /[.:]/;
  if ((how !== 'prefixlen' && how !== 'mask') || address.includes('/') || !form.test(said)) return false;
  return parseNetwork(`${address}/${how === 'mask' ? said : Number(said)}`) !== null;
}

function isKey(name: string, type: GroupType): boolean {
  try {
    keyOf(name, { type });
    return true;
  } catch {
    return false;
  }
}
