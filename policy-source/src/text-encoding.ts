/** Bytes that are no UTF-8, line by line. Nothing is decoded leniently: a replaced character could be part of a name. */
import { isUtf8 } from 'node:buffer';
import type { Finding } from '@edgeward/policy';

const newline = 10;

/** How many UTF-16 units stand before the first byte that is no UTF-8. */
export function unitsBeforeFault(line: Buffer): number {
  const decoded = line.toString();
  const again = Buffer.from(decoded);
  let at = 0;
  while (at < line.length && line[at] === again[at]) at++;
  // A fault may share its first bytes with the replacement character: step back to where the text is whole.
  while (!isUtf8(line.subarray(0, at))) at--;
  return line.subarray(0, at).toString().length;
}

export function encodingFinding(line: Buffer, file: string, lineNumber: number): Finding {
  return {
    severity: 'error',
    code: 'EDW_ERR_NOT_UTF8',
    file,
    line: lineNumber,
    column: unitsBeforeFault(line) + 1,
    message: 'These bytes are not UTF-8',
    mend: 'Save the file as UTF-8.',
  };
}

/** One finding for every line with such bytes; none is the usual case and costs one pass. */
export function encodingFindings(bytes: Buffer, file: string): Finding[] {
  const findings: Finding[] = [];
  if (isUtf8(bytes)) return findings;
  let start = 0;
  for (let line = 1; start < bytes.length; line++) {
    const found = bytes.indexOf(newline, start);
    const end = found === -1 ? bytes.length : found;
    const row = bytes.subarray(start, end);
    if (!isUtf8(row)) findings.push(encodingFinding(row, file, line));
    start = end + 1;
  }
  return findings;
}
