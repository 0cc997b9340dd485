import { formatAge } from '../frame/duration.ts';
import { tableText } from '../frame/table-text.ts';
import { printable } from '../frame/terminal-text.ts';
import type { ShownHost, ShownPoint } from './service-answers.ts';

/** What hosts said of themselves last, a line each; nothing where there are none. */
export function hostTable(points: readonly ShownPoint[], nowMs: number): string {
  const hosts = points.flatMap(({ point, host }) => (host === null ? [] : [cellsOf(point, host, nowMs)]));
  return hosts.length === 0 ? '' : tableText([HEADINGS, ...hosts]);
}

const HEADINGS = ['HOST', 'SAYS', 'MODE', 'HEARD', 'CLOCK', 'DENIED', 'WAITING', 'REPAIRS', 'RULES', 'AGENT'];

function cellsOf(point: string, { heardAtMs, stale, clockSkewMs, report }: ShownHost, nowMs: number): string[] {
  if (report === null) return [point, 'nothing yet', '-', 'never', '-', '-', '-', '-', '-', '-'];
  const { state, mode, denials, repairs, backend, agent } = report;
  return [
    point,
    stale ? `stale, was ${state}` : state,
    mode ?? '-',
    formatAge(heardAtMs, nowMs),
    skewText(clockSkewMs ?? 0),
    String(denials.denied),
    String(denials.pending),
    repairsText(repairs, nowMs),
    backend,
    agent,
  ].map(printable);
}

/** Of the host less that of the service; the way there is in it, so that less than a second says nothing. */
function skewText(ms: number): string {
  const seconds = Math.trunc(ms / 1000);
  return seconds === 0 ? 'same' : `${seconds > 0 ? '+' : ''}${seconds} s`;
}

function repairsText({ count, last }: NonNullable<ShownHost['report']>['repairs'], nowMs: number): string {
  if (last === null) return String(count);
  const by = last.process === null ? '' : ` after ${last.process}`;
  return `${count}, last ${formatAge(Date.parse(last.at), nowMs)}${by}`;
}
