/** The status of a store for a person: what is published, where it has arrived, what waits for somebody. */
import { formatAge, formatDuration } from '../../frame/duration.ts';
import { tableText } from '../../frame/table-text.ts';
import { counted, type Paint, printable } from '../../frame/terminal-text.ts';
import { rolloutText } from './rollout-text.ts';
import type { ShownStore, ShownStorePoint, ShownWaiting } from './store-status.ts';

export interface StatusLimits {
  points: number;
}

/** Three reports of a minute each were missed. */
const SILENT_MS = 180_000;

export function statusText(status: ShownStore, { points }: StatusLimits, paint: Paint): string {
  const parts = [
    headText(status),
    rolloutText(status.rollout, paint),
    pointsText(status, points, paint),
    waitingText(status, paint),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function headText({ store, version, root, epoch, revision, inventory, record }: ShownStore): string {
  const rows: [string, string][] = [
    ['store', store],
    [
      'policy',
      version === null ? 'nothing is published yet' : `version ${version}, trust root ${root}, epoch ${epoch}`,
    ],
    ['heads', `up to revision ${revision}`],
    ['inventory', counted(inventory.workloads, 'workload')],
    ['record', `entry ${record.size}`],
  ];
  return rows.map(([name, value]) => `${name.padEnd(10)} ${printable(value)}\n`).join('');
}

const HEADINGS = ['POINT', 'STATE', 'VERSION', 'HEAD', 'TAKEN', 'APPLIED', 'HEARD', 'STALE IN', 'DENIALS'];

function pointsText(status: ShownStore, limit: number, paint: Paint): string {
  const { points, nowMs } = status;
  if (points.length === 0) return 'No point has a head.\n';
  // Whoever looks wants to see first what is not as it should be.
  const sorted = [...points].sort((a, b) => Number(isFine(a, nowMs)) - Number(isFine(b, nowMs)));
  const shown = sorted.slice(0, limit);
  const fine = points.filter((point) => isFine(point, nowMs)).length;
  const rest = points.length - shown.length;
  const table = tableText([HEADINGS, ...shown.map((point) => cellsOf(point, nowMs))]);
  const more = rest === 0 ? '' : `${paint.dim(`… and ${counted(rest, 'point')} more; --all shows them`)}\n`;
  return `${counted(points.length, 'point')}, ${fine} of them current\n${table}${more}${refusalsText(shown, paint)}`;
}

function isFine({ revision, reports }: ShownStorePoint, nowMs: number): boolean {
  const [newest] = reports;
  if (newest === undefined || nowMs - newest.heardAtMs > SILENT_MS) return false;
  const { state, applied, nack, contradicted } = newest.report;
  return state === 'current' && applied === revision && nack === null && !contradicted;
}

function cellsOf({ point, version, revision, expiresAt, reports }: ShownStorePoint, nowMs: number): string[] {
  const [newest] = reports;
  const leftMs = Date.parse(expiresAt) - nowMs;
  return [
    point,
    stateOf(newest, nowMs),
    version === null ? '-' : String(version),
    String(revision),
    newest === undefined ? '-' : String(newest.report.revision),
    newest?.report.applied == null ? '-' : String(newest.report.applied),
    formatAge(newest?.heardAtMs ?? null, nowMs),
    leftMs > 0 ? formatDuration(leftMs) : 'stale',
    newest === undefined ? '-' : String(newest.report.denials.total),
  ];
}

function stateOf(newest: ShownStorePoint['reports'][number] | undefined, nowMs: number): string {
  if (newest === undefined) return 'never heard';
  if (nowMs - newest.heardAtMs > SILENT_MS) return 'silent';
  return newest.report.nack === null ? newest.report.state : 'refuses';
}

function refusalsText(points: readonly ShownStorePoint[], paint: Paint): string {
  return points
    .flatMap(({ point, reports }) =>
      reports.flatMap(({ report: { service, nack, contradicted } }) => [
        ...(nack === null
          ? []
          : [
              `${point} (${service})  refuses revision ${nack.revision} at ${nack.stage}: ${nack.code}  ${nack.message}`,
            ]),
        ...(contradicted
          ? [`${point} (${service})  has seen another record of attempts: run \`edgeward store verify\``]
          : []),
      ]),
    )
    .map((line) => `${paint.bad('error')}  ${printable(line)}\n`)
    .join('');
}

function waitingText({ inventory, refused, unwritten, behind, followUps, nowMs }: ShownStore, paint: Paint): string {
  const lines: [string, string][] = [];
  const { waiting, alsoWaiting = [], error } = inventory;
  for (const it of waiting === null ? alsoWaiting : [waiting, ...alsoWaiting])
    lines.push([it.fault.state, heldText(it, nowMs)]);
  if (error !== null) lines.push(['error', `${error.code}  ${error.message}\n    ${error.mend}`]);
  for (const { point, group, members, max, counted: what } of refused)
    lines.push(['refused', `${point} keeps an older version: ${group} has ${members} ${what}, and ${max} are allowed`]);
  if (behind > 0) lines.push(['behind', `${counted(behind, 'point')} could not be given what they are to have`]);
  if (unwritten > 0)
    lines.push(['mirror', `${counted(unwritten, 'head')} could not be written; look at the disk of the store`]);
  for (const { version, endsAt, proposedBy, reason } of followUps)
    lines.push([
      'follow-up',
      `version ${version} was break-glass of ${proposedBy}, until ${endsAt}: ${reason}; \`edgeward store follow-up close ${version}\` by another approver`,
    ]);
  return lines.map(([word, text]) => `${paint.warn(word)}  ${text.split('\n').map(printable).join('\n')}\n`).join('');
}

export function heldText({ revision, sinceMs, fault }: ShownWaiting, nowMs: number): string {
  const since = `revision ${revision} of the inventory since ${formatDuration(nowMs - sinceMs)}`;
  if (fault.state === 'refused') {
    const too = fault.excesses.map(
      ({ point, group, members, max, counted: what }) =>
        `${group} at ${point}: ${members} ${what}, and ${max} are allowed`,
    );
    return `${since}: too many: ${too.slice(0, 5).join(', ')}`;
  }
  const losses = fault.losses.map(
    ({ point, object, before, lost, workloads }) =>
      `${object} at ${point} loses ${lost} of ${before} members by ${counted(workloads, 'workload')}`,
  );
  const more = losses.length > 5 ? ` and ${losses.length - 5} more` : '';
  return `${since}: ${losses.slice(0, 5).join(', ')}${more}; \`edgeward store accept ${revision}\` lets it through`;
}
