/**
 * What the services at the points said last, in memory, and on disk now and then: after a restart it is known whom nobody
 * has heard of. A report decides nothing here. Who reports for a point is bounded, so that nobody fills memory with names.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type PointReport, pointReportOf } from '@edgeward/policy-format';
import { type Clock, createRateLimit, type Logger, messageOf, repeatedly, writeDurably } from '@edgeward/runtime';

interface HeardReport {
  report: PointReport;
  heardAtMs: number;
}

export interface ReportShelf {
  /**
   * What is new of it: a refusal that was not told before, a contradiction. Beyond a budget of each point nothing is, and
   * nothing in one that comes after a newer one.
   */
  take(report: PointReport): ReportNews;
  /** Newest first. */
  of(point: string): HeardReport[];
  all(): Iterable<[point: string, reports: HeardReport[]]>;
  close(): Promise<void>;
}

interface ReportNews {
  nack: boolean;
  contradiction: boolean;
}

/** Services beside one another that are remembered for a point. */
const MAX_SERVICES = 8;
const SAVE_EVERY_MS = 30_000;
/** News of one point that are told on: so many at once, then one every ten minutes. A record could be filled that way. */
const TOLD = { perSecond: 1 / 600, burst: 20 };

/**
 * A report may be brought twice, and after the next one: on a connection that was given up, or by a NATS that heard no
 * acknowledgement. By the clock of whoever tells; one that was set back further is believed, or nobody would be heard any more.
 */
const LATE_MS = 60_000;

export interface ReportShelfOptions {
  dir: string;
  clock: Clock;
  logger: Logger;
  /** After it was taken. */
  onTaken?: (report: PointReport) => void;
}

export async function openReportShelf(options: ReportShelfOptions): Promise<ReportShelf> {
  const { clock, logger } = options;
  const path = join(options.dir, 'reports.ndjson');
  const points = new Map<string, HeardReport[]>();
  const told = createRateLimit(TOLD);
  let dirty = false;
  let saving: Promise<void> = Promise.resolve();

  const lastOf = ({ point, service }: PointReport): HeardReport | undefined =>
    points.get(point)?.find((it) => it.report.service === service);

  function put(heard: HeardReport): HeardReport | undefined {
    const { point } = heard.report;
    const others = points.get(point) ?? [];
    const before = lastOf(heard.report);
    points.set(point, [heard, ...others.filter((it) => it !== before)].slice(0, MAX_SERVICES));
    return before;
  }

  async function save(): Promise<void> {
    if (!dirty) return;
    dirty = false;
    try {
      await writeDurably(path, linesOf(points.values()));
    } catch (thrown) {
      dirty = true;
      logger.warn({ event: 'reports_not_saved', err: thrown }, messageOf(thrown));
    }
  }

  for (const heard of await readReports(path)) put(heard);
  const stop = repeatedly(clock, SAVE_EVERY_MS, () => {
    saving = save();
    return saving;
  });
  return {
    take(report) {
      if (isLate(report, lastOf(report)?.report)) return { nack: false, contradiction: false };
      const before = put({ report, heardAtMs: clock.now() })?.report;
      dirty = true;
      options.onTaken?.(report);
      const nack = report.nack !== null && !isSameNack(before?.nack ?? null, report.nack);
      const contradiction = report.contradicted && before?.contradicted !== true;
      const isTold = (nack || contradiction) && told.take(report.point, clock.now()) === 0;
      return { nack: nack && isTold, contradiction: contradiction && isTold };
    },
    of: (point) => points.get(point) ?? [],
    all: () => points.entries(),
    async close() {
      stop();
      await saving;
      await save();
    },
  };
}

function isLate({ at }: PointReport, before: PointReport | undefined): boolean {
  const byMs = before === undefined ? 0 : Date.parse(before.at) - Date.parse(at);
  return byMs > 0 && byMs <= LATE_MS;
}

function isSameNack(a: PointReport['nack'], b: PointReport['nack']): boolean {
  return a?.revision === b?.revision && a?.stage === b?.stage && a?.code === b?.code;
}

function* linesOf(points: Iterable<HeardReport[]>): Generator<string> {
  for (const reports of points) for (const heard of reports.toReversed()) yield `${JSON.stringify(heard)}\n`;
}

/** A line that can't be read is passed over: the next report is a minute away. */
async function readReports(path: string): Promise<HeardReport[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => {
    try {
      const { report, heardAtMs } = JSON.parse(line) as { report: unknown; heardAtMs: unknown };
      return [{ report: pointReportOf(report), heardAtMs: Number(heardAtMs) }];
    } catch {
      return [];
    }
  });
}
