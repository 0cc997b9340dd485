/**
 * Events in one file a day beside the ledger, `events-YYYYMMDD.db` by when they were stored (UTC), so that retention is the
 * end of a file. SQLite commits no two files at once: a batch is committed in its day file first, and stands once the ledger
 * is committed that says how far the day file holds. A day file that is missing or damaged costs its day: it is reported,
 * and everything else is answered and stored.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import type { EdgewardError } from '@edgeward/runtime';
import type { DenyEvent } from '../../deny-event.ts';
import type { DenialQuery, StoredDenial } from '../ledger.ts';
import { lostDay } from '../ledger-error.ts';
import { type CheckedSearch, cursorAfter, type DenialPage } from '../search.ts';
import { type DayFile, type KeptDenial, openDayFile } from './day-file.ts';
import type { DayPage } from './day-search.ts';
import { dayTable, type ListedDay } from './day-table.ts';
import { isBusy, isDamage, sqliteError } from './sqlite-error.ts';

export interface DayFiles {
  /** Within the transaction of the ledger, which has to be committed for it to stand. */
  write(events: readonly DenyEvent[], storedMs: number): StoredDenial[];
  /** The same, of what has its ids already: they grow, and are above every other. */
  adopt(denials: readonly KeptDenial[]): void;
  read(query: DenialQuery): StoredDenial[];
  search(search: CheckedSearch): DenialPage;
  /** Within a transaction: forgets at most `maxDays` whole days that were over before that instant; answers how many. */
  forgetOld(beforeMs: number, maxDays: number): number;
  /** After it was committed, so that nobody misses a file: deletes those of days that were over before, and are forgotten. */
  deleteOld(beforeMs: number): void;
  /** Days that could not be read or written since it was asked last; each is told once. */
  reports(): EdgewardError[];
  close(): void;
}

export interface DayFilesOptions {
  /** Of the ledger: day files are beside it. */
  file: string;
  ledgerId: string;
  synchronous: 'FULL' | 'NORMAL';
  timeoutMs: number;
  /** Called between two commits, for tests that are killed there. */
  passes?: ((step: 'day-committed') => void) | undefined;
}

/** Files that are kept open; a search over more of them opens the others for a moment. */
const maxOpen = 8;
const maxParts = 100;

export function dayFiles(db: DatabaseSync, options: DayFilesOptions): DayFiles {
  const table = dayTable(db);
  const folder = dirname(options.file);
  const open = new Map<string, DayFile>();
  const damaged = new Set<string>();
  const told = new Set<string>();
  const forgotten = new Set<string>();
  let reports: EdgewardError[] = [];

  function report(name: string, thrown: unknown): void {
    if (told.has(name)) return;
    told.add(name);
    reports.push(lostDay(join(folder, name), thrown));
  }

  function searchDay(day: ListedDay, search: CheckedSearch, isOver: () => boolean): DayPage {
    const { after, newestFirst, limit } = search;
    const firstId = newestFirst || after === null ? day.firstId : Math.max(day.firstId, after + 1);
    const lastId = newestFirst && after !== null ? Math.min(day.lastId, after - 1) : day.lastId;
    const nothing = { denials: [], reachedId: newestFirst ? firstId : lastId, isCutShort: false };
    return within(day.name, (file) => file.search(search, { firstId, lastId }, limit + 1, isOver)) ?? nothing;
  }

  /** null: it is lost, and told. */
  function within<Result>(name: string, run: (file: DayFile) => Result): Result | null {
    try {
      if (!existsSync(join(folder, name))) throw gone();
      const file = openNamed(name);
      if (file === null) throw foreign();
      return run(file);
    } catch (thrown) {
      if (isBusy(thrown)) throw thrown;
      close(name);
      report(name, thrown);
      return null;
    }
  }

  /** Nothing more is written into it. */
  function lose(name: string, thrown: unknown): void {
    damaged.add(name);
    close(name);
    report(name, thrown);
  }

  function close(name: string): void {
    open.get(name)?.close();
    open.delete(name);
  }

  /** null: it is none of this ledger's. */
  function openNamed(name: string): DayFile | null {
    const known = open.get(name);
    if (known?.isThere()) return known;
    close(name);
    const isNew = table.find(name) === null;
    const file = openDayFile({ ...options, file: join(folder, name), isNew });
    if (file === null) return null;
    for (const oldest of [...open.keys()].slice(0, Math.max(0, open.size - maxOpen + 1))) close(oldest);
    open.set(name, file);
    return file;
  }

  /** Of another ledger, or damaged and listed nowhere: somebody may want it. */
  function isOurs(name: string): boolean {
    if (forgotten.has(name)) return true;
    try {
      return openNamed(name) !== null;
    } catch {
      return false;
    }
  }

  /** The first that is ours and can be written. */
  function fileOf(day: string): { name: string; file: DayFile } {
    for (let part = 1; part <= maxParts; part += 1) {
      const name = `events-${day}${part === 1 ? '' : `-${part}`}.db`;
      if (damaged.has(name)) continue;
      if (table.find(name) !== null && !existsSync(join(folder, name))) {
        lose(name, gone());
        continue;
      }
      try {
        const file = openNamed(name);
        if (file !== null) return { name, file };
        if (table.find(name) !== null) lose(name, foreign());
      } catch (thrown) {
        if (!isDamage(thrown)) throw thrown;
        lose(name, thrown);
      }
    }
    throw new Error(`none of ${maxParts} files for the events of ${day} can be written`);
  }

  function read(day: ListedDay, query: DenialQuery): StoredDenial[] {
    return within(day.name, (file) => file.select(query, day.lastId)) ?? [];
  }

  /** All of one day. */
  function writeDay(denials: readonly KeptDenial[]): void {
    const startMs = dayOf(denials[0]?.storedMs ?? 0);
    const { name, file } = fileOf(new Date(startMs).toISOString().slice(0, 10).replaceAll('-', ''));
    try {
      file.insert(denials, table.find(name)?.lastId ?? 0);
    } catch (thrown) {
      if (isDamage(thrown)) lose(name, thrown);
      throw sqliteError(`writing ${join(folder, name)}`, thrown);
    }
    options.passes?.('day-committed');
    table.extend({ name, dayMs: startMs, denials });
  }

  return {
    write(events, storedMs) {
      if (events.length === 0) return [];
      const firstId = table.lastId() + 1;
      const stored = events.map((event, place) => ({ id: firstId + place, event }));
      writeDay(stored.map((denial) => ({ ...denial, storedMs })));
      return stored;
    },
    adopt(denials) {
      for (let from = 0; from < denials.length; ) {
        const day = dayOf(denials[from]?.storedMs ?? 0);
        const after = denials.findIndex(({ storedMs }, place) => place > from && dayOf(storedMs) !== day);
        const to = after < 0 ? denials.length : after;
        writeDay(denials.slice(from, to));
        from = to;
      }
    },
    read(query) {
      const limit = Math.min(10_000, Math.max(1, Math.trunc(query.limit ?? 1_000)));
      let found: StoredDenial[] = [];
      for (const day of table.list(query)) {
        // Days overlap only where the clock of this machine was set back: a day that begins later has nothing to add.
        const last = found.at(limit - 1)?.id;
        if (last !== undefined && (query.newest ? day.lastId < last : day.firstId > last)) break;
        found = merged(found, read(day, { ...query, limit }), query.newest === true).slice(0, limit);
      }
      return query.newest ? found.reverse() : found;
    },
    search(search) {
      const { newestFirst, limit, timeMs } = search;
      const endMs = performance.now() + timeMs;
      let page: DenialPage = { denials: [], cursor: null, isCutShort: false };
      for (const days of together(table.searched(search))) {
        const pages = days.map((day) => searchDay(day, search, () => performance.now() > endMs));
        page = joined(page.denials, pages, limit, newestFirst);
        if (page.cursor !== null) return page;
      }
      return page;
    },
    forgetOld(beforeMs, maxDays) {
      const over = table.endedBefore(beforeMs).slice(0, maxDays);
      for (const { name } of over) {
        table.forget(name);
        forgotten.add(name);
      }
      return over.length;
    },
    deleteOld(beforeMs) {
      // By what lies in the folder: somebody may have been killed in between, and days of people are not kept for that.
      for (const name of readdirSync(folder)) {
        if (endOf(name) > beforeMs || table.find(name) !== null || !isOurs(name)) continue;
        close(name);
        forgotten.delete(name);
        for (const suffix of ['', '-wal', '-shm']) rmSync(join(folder, name + suffix), { force: true });
      }
    },
    reports() {
      const since = reports;
      reports = [];
      return since;
    },
    close() {
      for (const name of [...open.keys()]) close(name);
    },
  };
}

const dayMs = 86_400_000;
const dayOf = (timeMs: number): number => Math.floor(timeMs / dayMs) * dayMs;
/** When the day of such a file is over; never, of another file. */
function endOf(name: string): number {
  const [, year, month, day] = /^events-(\d{4})(\d\d)(\d\d)(?:-\d+)?\.db$/.exec(name) ?? [];
  return year === undefined ? Number.POSITIVE_INFINITY : Date.parse(`${year}-${month}-${day}T00:00:00Z`) + dayMs;
}

const gone = (): Error => new Error('the file is gone');
const foreign = (): Error => new Error('the file is not what this ledger wrote');

function merged(a: StoredDenial[], b: StoredDenial[], newest: boolean): StoredDenial[] {
  const ordered = [...a, ...b];
  return ordered.sort((x, y) => (newest ? y.id - x.id : x.id - y.id));
}

/** Days whose ids overlap, which only a clock that was set back makes, are searched as one. */
function* together(days: readonly ListedDay[]): Generator<ListedDay[]> {
  let group: ListedDay[] = [];
  for (const day of days) {
    const overlaps = group.some(({ firstId, lastId }) => day.firstId <= lastId && day.lastId >= firstId);
    if (group.length > 0 && !overlaps) {
      yield group;
      group = [];
    }
    group.push(day);
  }
  if (group.length > 0) yield group;
}

/** One more than is asked for is looked for: whether there is one says whether there is a next page. */
function joined(before: StoredDenial[], pages: readonly DayPage[], limit: number, newestFirst: boolean): DenialPage {
  const cut = pages.filter(({ isCutShort }) => isCutShort).map(({ reachedId }) => reachedId);
  // What lies behind the place where one of them stopped is looked for again from there.
  const reached = newestFirst ? Math.max(...cut) : Math.min(...cut);
  const isReached = ({ id }: StoredDenial): boolean =>
    cut.length === 0 || (newestFirst ? id >= reached : id <= reached);
  const found = merged(before, pages.flatMap(({ denials }) => denials).filter(isReached), newestFirst);
  const denials = found.slice(0, limit);
  const last = denials.at(-1);
  if (found.length > limit && last !== undefined) {
    return { denials, cursor: cursorAfter(last.id, newestFirst), isCutShort: false };
  }
  if (cut.length === 0) return { denials, cursor: null, isCutShort: false };
  return { denials, cursor: cursorAfter(reached, newestFirst), isCutShort: true };
}
