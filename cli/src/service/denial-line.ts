/**
 * A denial in one line, shaped as Hubble's verdicts are. Method, path and host come from whoever was refused: what they
 * hide is shown as escapes, and nothing of them reaches the terminal as it is. Lines of one list stand in columns, which
 * grow with what comes and never shrink, up to a width past which a cell pushes the others aside.
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

/** Remembers how wide its columns are. */
export interface DenialLines {
  /** Lines of what comes together line up with each other, and with those before as far as those are as wide. */
  text(shown: readonly ShownDenial[], nowMs: number): string;
}

const widest = { time: 19, verdict: 28, point: 24, source: 48, object: 32, port: 9, request: 48 };

type Column = keyof typeof widest;
type Cells = Record<Column | 'because', string>;

export function denialLines(paint: Paint): DenialLines {
  const widths: Record<Column, number> = { time: 0, verdict: 0, point: 0, source: 0, object: 0, port: 0, request: 0 };
  return {
    text(shown, nowMs) {
      const rows = shown.map((it) => cellsOf(it, nowMs));
      for (const name of Object.keys(widths) as Column[]) {
        const wanted = rows.map((cells) => Math.min(widest[name], cells[name].length));
        widths[name] = Math.max(widths[name], ...wanted);
      }
      return rows.map((cells) => lineOf(cells, widths, paint)).join('');
    },
  };
}

/** One that stands alone. */
export function denialLine(shown: ShownDenial, nowMs: number, paint: Paint): string {
  return denialLines(paint).text([shown], nowMs);
}

function lineOf(cells: Cells, widths: Record<Column, number>, paint: Paint): string {
  const wide = (name: Column): string => cells[name].padEnd(widths[name]);
  const word = cells.verdict === 'DENY' ? paint.bad(wide('verdict')) : paint.warn(wide('verdict'));
  const time = paint.dim(cells.time.padStart(widths.time));
  const request = widths.request === 0 ? '' : ` ${wide('request')}`;
  return `${time} ${word} ${wide('point')} ${wide('source')} → ${wide('object')} ${wide('port')}${request}  ${cells.because}\n`;
}

function cellsOf({ denial, count, since }: ShownDenial, nowMs: number): Cells {
  const { verdict, point, object, port, method, path, reason, rule, nearestRule, missed } = denial;
  const ref = refOf(denial);
  const near = nearestRule === null ? '' : `; nearest ${nearestRule}${missed === null ? '' : `: ${missed}`}`;
  const times = count > 1 ? `  ×${count}${since === null ? '' : ` since ${clockTime(since, nowMs)}`}` : '';
  const tail = `${times}${ref === null ? '' : `  ref ${ref}`}`;
  return {
    time: clockTime(denial.time, nowMs),
    verdict: verdict === 'would-deny' ? 'WOULD DENY (observe: passes)' : 'DENY',
    point: printable(point),
    source: printable(sourceText(denial)),
    object: printable(object),
    port: printable(port),
    request: method === null && path === null ? '' : printable(`${method ?? '-'} ${path ?? '-'}`),
    because: printable(`${reason}${rule === null ? '' : ` ${rule}`}${near}${tail}`),
  };
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
export function sourceText({ source, sourceLabels, sourceWorkloads, sourceNetworks }: Denial): string {
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
