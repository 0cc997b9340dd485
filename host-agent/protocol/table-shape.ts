/**
 * Whether a value is an interval table as `interval-table` of policy writes it: names of hex digits, and under each a run of
 * records `lo hi class` of a width that the name tells. Nothing is unpacked for that, so a table of a hundred thousand sources
 * costs less than it took to parse. Whether its intervals are sorted and disjoint is whoever packed it to answer for.
 */
const CLASS_DIGITS = 4;
const BRANCH = '+';

/** Digits of an address that one end of a record has, by name: where records stand for whole buckets, and where they do not. */
const AT_THE_TOP: Readonly<Record<string, number>> = { '*4': 4, '*6': 8 };
const IN_A_BRANCH: Readonly<Record<number, number>> = { 4: 2, 8: 4, 12: 4, 16: 4, 20: 4, 24: 4, 28: 2 };
const IN_A_LEAF: Readonly<Record<number, number>> = { 4: 4, 6: 2, 8: 24, 12: 20, 16: 16, 20: 12, 24: 8, 28: 4, 30: 2 };

/** Each class in it is below `classes`. */
export function isTable(value: unknown, classes: number): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const table = value as Record<string, unknown>;
  for (const name of Object.keys(table)) {
    const records = table[name];
    if (typeof records !== 'string') return false;
    const isBranch = records.startsWith(BRANCH);
    const digits = digitsIn(name, isBranch);
    if (digits === undefined || !areRecords(records, isBranch ? 1 : 0, digits, classes)) return false;
  }
  return true;
}

function digitsIn(name: string, isBranch: boolean): number | undefined {
  if (!isHex(name, 0, name.length)) return isBranch ? undefined : AT_THE_TOP[name];
  return (isBranch ? IN_A_BRANCH : IN_A_LEAF)[name.length];
}

function areRecords(records: string, from: number, digits: number, classes: number): boolean {
  const width = digits * 2 + CLASS_DIGITS;
  if ((records.length - from) % width !== 0 || !isHex(records, from, records.length)) return false;
  for (let end = from + width; end <= records.length; end += width) if (classAt(records, end) >= classes) return false;
  return true;
}

function classAt(records: string, end: number): number {
  let value = 0;
  for (let at = end - CLASS_DIGITS; at < end; at += 1) value = value * 16 + digitOf(records.charCodeAt(at));
  return value;
}

// Code by code: a pattern or a text for each of many thousands would cost more than parsing them did.
function isHex(text: string, from: number, end: number): boolean {
  for (let at = from; at < end; at += 1) if (digitOf(text.charCodeAt(at)) < 0) return false;
  return true;
}

/** -1 for what is no digit in lower case. */
function digitOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  return code >= 0x61 && code <= 0x66 ? code - 0x61 + 10 : -1;
}
