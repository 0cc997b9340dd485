import { formatAge, formatDuration } from '../frame/duration.ts';
import { tableText } from '../frame/table-text.ts';
import { printable } from '../frame/terminal-text.ts';
import type { ShownPoint, ShownSnapshot } from './service-answers.ts';

/** The native snapshots of NGINX in modes hybrid and reload, a line each; nothing where there are none. */
export function snapshotTable(points: readonly ShownPoint[], nowMs: number): string {
  const rows = points.flatMap(({ point, snapshot }) => (snapshot === null ? [] : [cellsOf(point, snapshot, nowMs)]));
  return rows.length === 0 ? '' : tableText([HEADINGS, ...rows]);
}

const HEADINGS = ['SNAPSHOT', 'TAKEN', 'CHANGED SINCE', 'FOR', 'NEXT', 'RELOADS', 'FAILED'];

function cellsOf(point: string, { takenAt, slow, nextAt, reloads, failures }: ShownSnapshot, nowMs: number): string[] {
  return [
    point,
    formatAge(takenAt, nowMs),
    slow === null ? 'nothing' : slow.objects === 1 ? '1 object' : `${slow.objects} objects`,
    slow === null ? '-' : formatDuration(nowMs - slow.since),
    nextAt === null ? '-' : `in ${formatDuration(Math.max(0, nextAt - nowMs))}`,
    String(reloads),
    String(failures),
  ].map(printable);
}
