/**
 * The lives of a ledger file. A copy is another file, told by its inode and the time of its birth; renamed, a file stays what
 * it is. A file that is overwritten in place by an older copy stays what it is too, which nothing here can see.
 */
import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import type { LedgerLife } from '../lives.ts';

/** Within a transaction: begins a new one where the file is not the one that the last began in. */
export function livesOf(db: DatabaseSync, file: string): LedgerLife[] {
  const last = db.prepare('SELECT inode, birth_ns AS birth FROM lives ORDER BY number DESC LIMIT 1').get();
  const { ino, birthtimeNs, ctimeNs } = statSync(file, { bigint: true });
  const [inode, birth] = [String(ino), String(birthtimeNs)];
  // Where the system knows of no birth, the last change stands there instead, and says nothing.
  const isBornAgain = birth !== last?.birth && birthtimeNs !== ctimeNs;
  if (last === undefined || last.inode !== inode || isBornAgain) {
    db.prepare(
      'INSERT INTO lives (epoch, after_id, inode, birth_ns) VALUES (?, (SELECT id FROM last_event), ?, ?)',
    ).run(randomBytes(16).toString('hex'), inode, birth);
  }
  const lives = db.prepare('SELECT epoch, after_id AS afterId FROM lives ORDER BY number').all();
  return lives.map(({ epoch, afterId }) => ({ epoch: String(epoch), afterId: Number(afterId) }));
}
