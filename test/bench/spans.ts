/**
 * Where the time of one change goes, from the service's own log events, whose times are whole milliseconds. The parts
 * follow each other and add up to the whole.
 */
import type { Table } from './benchmark.ts';
import type { LogEvent } from './service-process.ts';
import { SPREAD_HEAD, spread } from './statistics.ts';

export interface Spans {
  /** The file was written → the service begins to read: the event, its debounce, a look at the tree. */
  noticeMs: number;
  readMs: number;
  compileMs: number;
  /** Whether it is held, and the revision floor on disk. */
  numberMs: number;
  /** Published → the first request judged by it: the push, the switch, the request. */
  pushMs: number;
}

const PARTS: [name: keyof Spans, words: string][] = [
  ['noticeMs', 'notice: file event, debounce, look at the tree'],
  ['readMs', 'read the directory'],
  ['compileMs', 'link, lint, compile, run tests'],
  ['numberMs', 'hold check, revision floor on disk'],
  ['pushMs', 'push, switch, first request'],
];

export function spansOf(events: LogEvent[], writtenAtMs: number, tookMs: number): Spans {
  const published = first(events, 'policy_published', writtenAtMs);
  const built = lastBefore(events, 'policy_built', published);
  const read = lastBefore(events, 'policy_read', built);
  const readFrom = read.atMs - read.tookMs;
  return {
    noticeMs: readFrom - writtenAtMs,
    readMs: read.tookMs,
    compileMs: built.atMs - read.atMs,
    numberMs: published.atMs - built.atMs,
    pushMs: writtenAtMs + tookMs - published.atMs,
  };
}

export function spanTable(spans: Spans[]): Table {
  return {
    head: ['of that, ms', ...SPREAD_HEAD],
    rows: PARTS.map(([part, words]) => [words, ...spread(spans.map((it) => it[part]))]),
  };
}

function first(events: LogEvent[], name: string, sinceMs: number): LogEvent {
  const found = events.find((it) => it.event === name && it.atMs >= sinceMs);
  if (found === undefined) throw new Error(`no event ${name} after a change`);
  return found;
}

function lastBefore(events: LogEvent[], name: string, before: LogEvent): LogEvent {
  const found = events.slice(0, events.indexOf(before)).findLast((it) => it.event === name);
  if (found === undefined) throw new Error(`no event ${name} before ${before.event}`);
  return found;
}
