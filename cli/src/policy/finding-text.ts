/** Findings as a person reads them: a place that an editor can open, what is wrong, and below it what to do. */
import type { Finding } from '@edgeward/policy';
import { counted, type Paint, printable } from '../frame/terminal-text.ts';
import { type PolicyReading, placeOf } from './policy-reading.ts';

function findingText(directory: string, finding: Finding, paint: Paint): string {
  const { severity, code, message, mend } = finding;
  const word = severity === 'error' ? paint.bad('error') : paint.warn('warning');
  const place = printable(placeOf(directory, finding, finding.column));
  return `${place}  ${word}  ${code}  ${printable(message)}\n    ${printable(mend)}\n`;
}

export function findingsText({ directory, findings }: PolicyReading, paint: Paint): string {
  return findings.map((finding) => findingText(directory, finding, paint)).join('');
}

export function summaryText(reading: PolicyReading, paint: Paint): string {
  const { errors, warnings, files, complete, resolution } = reading;
  const found = `${counted(errors, 'error')}, ${counted(warnings, 'warning')}`;
  const read = `${counted(files, 'file')}, ${counted(resolution.objects.length, 'object')}, ${counted(resolution.rules.length, 'rule')}`;
  const head = errors > 0 ? paint.bad(found) : warnings > 0 ? paint.warn(found) : paint.good(found);
  const rest = complete ? '' : 'What selects nothing is told once the documents that could not be read are mended.\n';
  return `${head} in ${read}\n${rest}`;
}
