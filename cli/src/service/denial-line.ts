/**
 * A denial in one line, shaped as Hubble's verdicts are. Method, path and host come from whoever was refused: what they
 * hide is shown as escapes, and nothing of them reaches the terminal as it is.
 */
import { type Paint, printable } from '../frame/terminal-text.ts';
import type { Denial } from './service-answers.ts';

export interface ShownDenial {
  denial: Denial;
  /** How many equal ones the line stands for. */
  count: number;
  /** When the first of them was, where they were folded. */
  since: string | null;
}

export function denialLine({ denial, count, since }: ShownDenial, nowMs: number, paint: Paint): string {
  const { verdict, point, object, port, reason, rule, nearestRule, missed } = denial;
  const ref = refOf(denial);
  const passes = verdict === 'would-deny';
  const request =
    denial.method === null && denial.path === null ? '' : ` ${denial.method ?? '-'} ${denial.path ?? '-'}`;
  const near = nearestRule === null ? '' : `; nearest ${nearestRule}${missed === null ? '' : `: ${missed}`}`;
  const because = `${reason}${rule === null ? '' : ` ${rule}`}${near}`;
  const times = count > 1 ? `  ×${count}${since === null ? '' : ` since ${clockTime(since, nowMs)}`}` : '';
  const tail = `${times}${ref === null ? '' : `  ref ${ref}`}`;
  const what = `${point} ${sourceText(denial)} → ${object} ${port}${request}  ${because}${tail}`;
  const word = passes ? paint.warn('WOULD DENY (observe: passes)') : paint.bad('DENY');
  return `${paint.dim(clockTime(denial.time, nowMs))} ${word} ${printable(what)}\n`;
}

/** What `edgeward why` takes: the reference that the client was shown, or the place in the ledger where there is none. */
function refOf({ ref, id }: Denial): string | null {
  return ref ?? (id === undefined ? null : `@${id}`);
}

/** A denial as it was stored: of several equal ones in its window. */
export function shownAlone(denial: Denial): ShownDenial {
  const { count, windowStart, time } = denial;
  return { denial, count, since: count > 1 && windowStart !== time ? windowStart : null };
}

/** Labels say who it is; where there are none, the names of workloads and networks do. */
function sourceText({ source, sourceLabels, sourceWorkloads, sourceNetworks }: Denial): string {
  const labels = Object.entries(sourceLabels)
    .map(([key, value]) => `${key}=${value}`)
    .sort();
  const who = labels.length > 0 ? labels : [...sourceWorkloads, ...sourceNetworks];
  return `${source === '' ? '-' : source}${who.length === 0 ? '' : `(${who.join(',')})`}`;
}

/** UTC, as in every log of ours; with its date where that is not today's. */
function clockTime(time: string, nowMs: number): string {
  const [day = '', clock = ''] = new Date(time).toISOString().split('T');
  const seconds = clock.slice(0, 8);
  return day === new Date(nowMs).toISOString().slice(0, 10) ? seconds : `${day} ${seconds}`;
}
