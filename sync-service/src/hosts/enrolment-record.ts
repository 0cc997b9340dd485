import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isName } from '@edgeward/policy-format';
import { type Logger, makeFolder, messageOf, writeDurably } from '@edgeward/runtime';
import * as z from 'zod';

/**
 * Which certificate of a host is its newest: files in `STATEDIR/hosts/enrolled`, one a point. A certificate can't be revoked,
 * but a later one of the same point voids it: an enrolment at once, a renewal when the new one is first used, so that an answer
 * that got lost cuts nobody off. Certificates of one point are ordered by issue numbers, not by time: clocks are set back.
 *
 * A state folder that came back from a backup has smaller numbers than hosts have; these are believed, and raise them again.
 */
export interface EnrolmentRecord {
  /** The number of the next certificate of this point, on disk when it resolves. Throws EDW_ERR_STATE_WRITE. */
  next(point: string, why: 'enrolled' | 'renewed', nowMs: number): Promise<number>;
  /** Whether this is the newest certificate of the point, as far as was seen; what is before it is void from now on. */
  isNewest(point: string, issueNumber: number, nowMs: number): boolean;
  /** What was seen is on disk. */
  flush(): Promise<void>;
}

interface Kept {
  v: 1;
  point: string;
  enrolledAt: string;
  /** The largest number that was given out. */
  issued: number;
  /** The largest that came back; what is below it is void. */
  seen: number;
}

const kept: z.ZodType<Kept> = z.object({
  v: z.literal(1),
  point: z.string(),
  enrolledAt: z.iso.datetime(),
  issued: z.int().min(0),
  seen: z.int().min(0),
});

const ENDING = '.json';

/** `folder` is `STATEDIR/hosts`. Throws EDW_ERR_STATE_WRITE. */
export async function openEnrolmentRecord(folder: string, logger: Logger): Promise<EnrolmentRecord> {
  const place = join(folder, 'enrolled');
  await makeFolder(place);
  const { records, damaged } = await readRecords(place);
  for (const { point, file, cause } of damaged.values()) {
    const words = 'its record can not be read: the host has to be invited again';
    logger.error({ event: 'host_record_damaged', point, file, cause }, words);
  }
  /** One write after the other: what is written last is what stands. */
  let writing: Promise<unknown> = Promise.resolve();

  function inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const done = writing.then(work);
    writing = done.catch(() => {}); // whoever asked for it is told
    return done;
  }

  function write(record: Kept): Promise<void> {
    return writeDurably(join(place, `${record.point}${ENDING}`), `${JSON.stringify(record)}\n`);
  }

  /** Lost in a crash, it is seen again. */
  function keep(record: Kept): void {
    records.set(record.point, record);
    inTurn(() => write(records.get(record.point) ?? record)).catch((thrown: unknown) =>
      logger.error({ event: 'host_record_failed', point: record.point, err: thrown }, messageOf(thrown)),
    );
  }

  return {
    next: (point, why, nowMs) =>
      inTurn(async () => {
        const before = records.get(point) ?? nothing(point, nowMs);
        const issued = Math.max(Math.floor(nowMs), before.issued + 1);
        const enrolled = { ...before, issued, seen: issued, enrolledAt: new Date(nowMs).toISOString() };
        await write(why === 'enrolled' ? enrolled : { ...before, issued });
        // What was seen meanwhile is not unseen.
        const seen = records.get(point)?.seen ?? before.seen;
        records.set(point, why === 'enrolled' ? enrolled : { ...before, issued, seen });
        damaged.delete(point);
        return issued;
      }),
    isNewest(point, issueNumber, nowMs) {
      if (damaged.has(point)) return false;
      const before = records.get(point) ?? nothing(point, nowMs);
      if (issueNumber <= before.seen) return issueNumber === before.seen;
      keep({ ...before, seen: issueNumber, issued: Math.max(before.issued, issueNumber) });
      return true;
    },
    async flush() {
      await writing;
    },
  };
}

/** When each host was enrolled last, ISO 8601, by point: for who looks from beside the service. Throws what reading throws. */
export async function enrolmentTimes(folder: string): Promise<Map<string, string>> {
  const { records } = await readRecords(join(folder, 'enrolled'));
  return new Map([...records.values()].map(({ point, enrolledAt }) => [point, enrolledAt]));
}

function nothing(point: string, nowMs: number): Kept {
  return { v: 1, point, enrolledAt: new Date(nowMs).toISOString(), issued: 0, seen: 0 };
}

interface Records {
  records: Map<string, Kept>;
  /** Whose newest certificate nobody knows any more: all of them are void until the point is enrolled again. */
  damaged: Map<string, { point: string; file: string; cause: string }>;
}

async function readRecords(place: string): Promise<Records> {
  const found: Records = { records: new Map(), damaged: new Map() };
  for (const name of await readdir(place)) {
    const point = name.endsWith(ENDING) ? name.slice(0, -ENDING.length) : '';
    if (!isName(point)) continue;
    const file = join(place, name);
    try {
      const record = kept.parse(JSON.parse(await readFile(file, 'utf8')));
      if (record.point !== point) throw new Error('it is that of another point');
      found.records.set(point, record);
    } catch (thrown) {
      found.damaged.set(point, { point, file, cause: messageOf(thrown) });
    }
  }
  return found;
}
