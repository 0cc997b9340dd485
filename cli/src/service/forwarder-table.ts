import { formatAge } from '../frame/duration.ts';
import { tableText } from '../frame/table-text.ts';
import { printable } from '../frame/terminal-text.ts';
import type { ShownForwarder, ShownPoint } from './service-answers.ts';

/** What forwarders of NGINX on other machines said last, a line each; nothing where there are none. */
export function forwarderTable(points: readonly ShownPoint[], nowMs: number): string {
  const rows = points.flatMap(({ point, forwarder }) => (forwarder === null ? [] : [cellsOf(point, forwarder, nowMs)]));
  return rows.length === 0 ? '' : tableText([HEADINGS, ...rows]);
}

const HEADINGS = ['FORWARDER', 'SAYS', 'HEARD', 'CLOCK', 'WAITING', 'UNREAD', 'GIVEN UP'];

function cellsOf(point: string, { heardAtMs, stale, clockSkewMs, waiting }: ShownForwarder, nowMs: number): string[] {
  if (waiting === null) return [point, 'nothing yet', 'never', '-', '-', '-', '-'];
  const seconds = Math.trunc((clockSkewMs ?? 0) / 1000);
  return [
    point,
    stale ? 'nothing any more' : waiting.records + waiting.unreadBytes === 0 ? 'all is sent' : 'sends',
    formatAge(heardAtMs, nowMs),
    seconds === 0 ? 'same' : `${seconds > 0 ? '+' : ''}${seconds} s`,
    `${waiting.records} records`,
    `${waiting.unreadBytes} B`,
    String(waiting.shed),
  ].map(printable);
}
