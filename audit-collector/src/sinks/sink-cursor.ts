/**
 * How far a sink is, in a file of its own: everything up to an id of one ledger. The file names the life of the ledger by its
 * epoch. Where the ledger was put back behind it, the sink goes on from there; on another ledger it begins anew. What can't be
 * read is no reason to stop; it is told, and the sink begins anew, which sends again and loses nothing.
 */
import { join } from 'node:path';
import { EdgewardError, makeFolder, messageOf, readPlainFile, systemCodeOf, writeDurably } from '@edgeward/runtime';
import * as z from 'zod';
import { type LedgerLife, placeIn } from '../ledger/lives.ts';

export interface SinkCursor {
  /** Of the ledger. */
  epoch: string;
  /** It began after this id: what was there before was not to be sent. */
  beganAfter: number;
  /** Every event up to this id is accounted for. */
  afterId: number;
  /** In all lives of the sink: sent + rejected + lost = afterId - beganAfter, unless the ledger was put back. */
  sent: number;
  rejected: number;
  lost: number;
}

const count = z.int().min(0);
const cursorSchema: z.ZodType<SinkCursor & { v: 1 }> = z.strictObject({
  v: z.literal(1),
  epoch: z.string().min(1),
  beganAfter: count,
  afterId: count,
  sent: count,
  rejected: count,
  lost: count,
});
const maxBytes = 4_096;

export interface CursorFile {
  /** null: there is none for this ledger. `onUnreadable` is told of a file that is none of ours. */
  read(lives: readonly LedgerLife[], onUnreadable: (error: EdgewardError) => void): Promise<SinkCursor | null>;
  /** Rejects with EDW_ERR_STATE_WRITE. */
  write(cursor: SinkCursor): Promise<void>;
}

export function cursorFile(folder: string, name: string): CursorFile {
  const path = join(folder, `${name}.json`);
  let isMade = false;
  return {
    async read(lives, onUnreadable) {
      try {
        const { v: _, ...cursor } = cursorSchema.parse(JSON.parse((await readPlainFile(path, maxBytes)).toString()));
        const afterId = placeIn(lives, cursor.epoch, cursor.afterId);
        return afterId === null ? null : { ...cursor, afterId, epoch: lives.at(-1)?.epoch ?? cursor.epoch };
      } catch (thrown) {
        if (systemCodeOf(thrown) !== 'ENOENT') onUnreadable(unreadable(path, thrown));
        return null;
      }
    },
    async write(cursor) {
      if (!isMade) await makeFolder(folder);
      isMade = true;
      await writeDurably(path, `${JSON.stringify({ v: 1, ...cursor })}\n`);
    },
  };
}

function unreadable(path: string, cause: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_SINK_CURSOR', `reading ${path}: ${messageOf(cause)}`, {
    mend: 'Nothing is lost: the sink begins anew, and sends again what the ledger has.',
    cause,
  });
}
