/** The status for a person. Times are ages by the clock of the service, so that two clocks are never compared. */
import { join } from 'node:path';
import { formatAge, formatDuration } from '../frame/duration.ts';
import { tableText } from '../frame/table-text.ts';
import { counted, type Paint, printable } from '../frame/terminal-text.ts';
import { forwarderTable } from './forwarder-table.ts';
import { hostTable } from './host-table.ts';
import { proofProblems, provenText } from './proof-text.ts';
import type { BreakGlass, Held, ShownPoint, ShownStatus } from './service-answers.ts';
import { sinkProblems } from './sink-problems.ts';
import { snapshotTable } from './snapshot-table.ts';

export function statusText(status: ShownStatus, paint: Paint): string {
  const hosts = hostTable(status.points, status.nowMs);
  const parts = [
    headlineText(status, paint),
    policyText(status),
    pointsText(status),
    forwarderTable(status.points, status.nowMs),
    snapshotTable(status.points, status.nowMs),
    hosts,
    problemsText(status, paint),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function headlineText({ headline }: ShownStatus, paint: Paint): string {
  const tone = headline.startsWith('NOT ENFORCING') ? paint.bad : paint.strong;
  return `${tone(printable(headline))}\n`;
}

function policyText({ policy, points, nowMs, version, startedAtMs }: ShownStatus): string {
  const { revision, state, directory, store, changedAtMs, warnings, held, nextChangeAtMs } = policy;
  const rows: [string, string][] = [
    ['policy', `revision ${revision}, ${state}, changed ${formatAge(changedAtMs, nowMs)}, from ${directory ?? store}`],
    ['findings', `${counted(policy.errors.length, 'error')}, ${counted(warnings, 'warning')}`],
  ];
  if (nextChangeAtMs !== null)
    rows.push(['next', `${endingText(points)} ends in ${formatDuration(nextChangeAtMs - nowMs)}`]);
  if (held !== null) rows.push(['held', heldText(held, nowMs)]);
  rows.push(['service', `${version}, up ${formatDuration(nowMs - startedAtMs)}`]);
  return rows.map(([name, value]) => `${name.padEnd(9)} ${printable(value)}\n`).join('');
}

function endingText(points: readonly ShownPoint[]): string {
  const isOpen = points.some(({ store }) => store !== null && store.breakGlass !== null);
  return isOpen ? 'a grant, network or break-glass' : 'a grant or network';
}

export function heldText({ revision, heldAtMs, objects }: Held, nowMs: number): string {
  const losses = objects.map(({ object, lostShare }) => `${object} loses ${Math.round(lostShare * 100)} %`).join(', ');
  return `revision ${revision} since ${formatDuration(nowMs - heldAtMs)}: ${losses} of its flows; \`edgeward accept ${revision}\` lets it through`;
}

const headings = (byStore: boolean): string[] => [
  'POINT',
  'STATE',
  ...(byStore ? ['VERSION'] : []),
  'DESIRED',
  'APPLIED',
  'SINCE',
  'CHECKED',
  'DRIFT',
  'ENFORCE',
  'OBSERVE',
  'OFF',
  'PROVEN',
  'DENIALS',
];

function pointsText({ points, nowMs }: ShownStatus): string {
  if (points.length === 0) return 'No points are configured.\n';
  // What a version is, only a central store says.
  const byStore = points.some(({ store }) => store !== null);
  return tableText([headings(byStore), ...points.map((point) => cellsOf(point, byStore, nowMs))]);
}

function cellsOf(point: ShownPoint, byStore: boolean, nowMs: number): string[] {
  const { objects } = point;
  return [
    point.point,
    point.state,
    ...(byStore ? [versionText(point)] : []),
    numberText(point.desiredRevision),
    numberText(point.appliedRevision),
    formatAge(point.appliedAt, nowMs),
    formatAge(point.lastCheckedAt, nowMs),
    String(point.drift.count),
    String(objects.enforce),
    String(objects.observe),
    String(objects.off),
    provenText(point, nowMs),
    denialsText(point),
  ].map(printable);
}

/** The point's own count and the ledger's: a difference is a loss, and worth a look. */
function denialsText({ denials: { stored, uncovered, counted } }: ShownPoint): string {
  const unknown = Object.values(uncovered).reduce((sum, count) => sum + count, 0);
  if (unknown > 0) return `${stored} stored, ${unknown} counted alone, of ${Math.max(counted, stored + unknown)}`;
  return counted <= stored ? String(stored) : `${stored} stored of ${counted}`;
}

/** What it holds, and what it is to hold where that is another: a roll-out that reaches it, or takes it back. */
function versionText({ store }: ShownPoint): string {
  const [held, desired] = [numberText(store?.appliedVersion ?? null), numberText(store?.desiredVersion ?? null)];
  return held === desired ? held : `${held} → ${desired}`;
}

function numberText(number: number | null): string {
  return number === null ? '-' : String(number);
}

interface Problem {
  tone: 'error' | 'warning';
  what: string;
  mend: string;
}

function problemsText({ policy, points, sinks, nowMs }: ShownStatus, paint: Paint): string {
  const found = policy.errors.map(({ file, line, column, code, message, mend }) => ({
    tone: 'error' as const,
    what:
      policy.directory === null
        ? `${file}  ${code}  ${message}`
        : `${join(policy.directory, file)}:${line}:${column}  ${code}  ${message}`,
    mend,
  }));
  return [...found, ...points.flatMap((point) => problemsOf(point, nowMs)), ...sinkProblems(sinks)]
    .map(({ tone, what, mend }) => `${paint.bad(tone)}  ${printable(what)}\n    ${printable(mend)}\n`)
    .join('');
}

function problemsOf(shown: ShownPoint, nowMs: number): Problem[] {
  const { point, lastError, logError, unfinished, hazards, store, snapshot } = shown;
  const problems: Problem[] = [];
  const tone = 'error';
  if (lastError !== null) {
    const { code, message, mend, at } = lastError;
    problems.push({ tone, what: `${point}  ${code}  ${message} (${formatAge(at, nowMs)})`, mend });
  }
  if (logError !== null)
    problems.push({ tone, what: `${point}  ${logError.code}  ${logError.message}`, mend: logError.mend });
  if (store?.contradicted === true)
    problems.push({
      tone,
      what: `${point}  the record of attempts at the store is not the one that this point has seen`,
      mend: 'Somebody rewrote it, or an old copy of the store was restored. Run `edgeward store verify` with this witness.',
    });
  if (store !== null && store.breakGlass !== null)
    problems.push({ tone: 'warning', what: `${point}  ${glassText(store.breakGlass, nowMs)}`, mend: GLASS_MEND });
  if (store?.stale === true)
    problems.push({
      tone: 'warning',
      what: `${point}  the store has signed nothing newer than what has expired`,
      mend: 'What is in force stays. Look at the store, its clock, and what stands between.',
    });
  if (snapshot !== null && snapshot.lastError !== null) {
    const { code, message, mend, at } = snapshot.lastError;
    problems.push({ tone: 'warning', what: `${point}  ${code}  ${message} (${formatAge(at, nowMs)})`, mend });
  }
  for (const words of unfinished)
    problems.push({
      tone: 'warning',
      what: `${point}  unfinished: ${words}`,
      mend: 'The policy is in force all the same.',
    });
  for (const { object, code, words, mend } of hazards)
    problems.push({ tone: 'warning', what: `${point}  ${object}  ${code}: ${words}`, mend });
  return [...problems, ...proofProblems(shown)];
}

function glassText({ version, endsAt, proposedBy, reason }: BreakGlass, nowMs: number): string {
  const left = formatDuration(Math.max(0, Date.parse(endsAt) - nowMs));
  return `break-glass: version ${version} of ${proposedBy} alone, until ${endsAt} (${left}): ${reason}`;
}

const GLASS_MEND =
  'It ends by itself, also without the store. Another approver looks at it and closes it: `edgeward store follow-up`.';
