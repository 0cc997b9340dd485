/** Events, totals and what could not be read, inserted within the transaction of whoever calls. Label sets are kept once. */
import type { DatabaseSync } from 'node:sqlite';
import type { DenyEvent } from './deny-event.ts';
import type { LedgerBatch } from './ledger.ts';
import { mostCounted } from './ledger-counters.ts';
import { insertEvent, labelText, rowOf, type StoredDenial } from './ledger-rows.ts';

const maxQuarantined = 100;
const maxCachedSets = 10_000;

type Written = Omit<LedgerBatch, 'cursors'>;

/** Inserts what a batch holds, within a transaction. */
export function ledgerWriter(db: DatabaseSync, setIds: Map<string, number>): (batch: Written) => StoredDenial[] {
  const findSet = db.prepare('SELECT id FROM label_sets WHERE labels = ?');
  const addSet = db.prepare('INSERT INTO label_sets (labels) VALUES (?)');
  const addEvent = db.prepare(insertEvent);
  const addTotal = db.prepare(`INSERT INTO totals VALUES (:point, :object, :reason, :verdict, :count, :lastMs)
    ON CONFLICT DO UPDATE SET count = min(${mostCounted}, count + :count), last_ms = max(last_ms, :lastMs)`);
  const addUnparsed = db.prepare('INSERT INTO unparsed VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1');
  const addSample = db.prepare('INSERT INTO quarantine (stored_ms, point, log, cause, sample) VALUES (?, ?, ?, ?, ?)');
  const trimSamples = db.prepare(
    `DELETE FROM quarantine WHERE id <= (SELECT max(id) FROM quarantine) - ${maxQuarantined}`,
  );
  const addLoss = db.prepare(
    'INSERT INTO losses (stored_ms, point, log, cause, inode, offset) VALUES (?, ?, ?, ?, ?, ?)',
  );

  function setId(labels: Record<string, string>): number {
    const text = labelText(labels);
    const known = setIds.get(text) ?? findSet.get(text)?.id;
    const id = Number(known ?? addSet.run(text).lastInsertRowid);
    if (setIds.size >= maxCachedSets) setIds.clear();
    setIds.set(text, id);
    return id;
  }
  return ({ point, log, storedMs, events, unparsed, losses }) => {
    const insert = (event: DenyEvent): number => Number(addEvent.run(...rowOf(event, storedMs, setId)).lastInsertRowid);
    const stored = events.map((event) => ({ id: insert(event), event }));
    for (const { point, object, reason, verdict, count, time } of events) {
      addTotal.run({ point, object, reason, verdict, count, lastMs: Date.parse(time) });
    }
    for (const { cause, sample } of unparsed) {
      addUnparsed.run(point, cause);
      addSample.run(storedMs, point, log, cause, sample);
    }
    if (unparsed.length > 0) trimSamples.run();
    for (const { cause, inode, offset } of losses) addLoss.run(storedMs, point, log, cause, inode, offset);
    return stored;
  };
}
