/** What machines write into the inventory, all the time: each state whole, by rename. */
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Dice } from './dice.ts';
import { type Inventory, inventoryText, membersOf, revocable } from './estate.ts';

export interface Machines {
  newest(): Inventory;
  /** When it was written; what is newer than that has not. */
  writtenAtMs(number: number): number;
  membersAt(number: number): ReadonlySet<string> | null;
  write(): Promise<void>;
  begin(): void;
  stop(): Promise<void>;
}

const PAUSE_MS = 400;

/** `revokeOneIn`: how seldom somebody loses his place for ever. */
export function machinesOf(folder: string, dice: Dice, revokeOneIn: number): Machines {
  const written: { inventory: Inventory; atMs: number }[] = [];
  let newest: Inventory = { number: 0, revoked: 0 };
  let isStopped = false;
  let running: Promise<void> = Promise.resolve();

  async function write(): Promise<void> {
    const revokes = newest.number > 0 && newest.revoked < revocable.length && dice.below(revokeOneIn) === 0;
    newest = { number: newest.number + 1, revoked: newest.revoked + (revokes ? 1 : 0) };
    const file = join(folder, 'machines.ndjson');
    await writeFile(`${file}.new`, inventoryText(newest));
    written[newest.number] = { inventory: newest, atMs: Date.now() };
    await rename(`${file}.new`, file);
  }

  async function run(): Promise<void> {
    while (!isStopped) {
      await write();
      await sleep(PAUSE_MS / 2 + dice.below(PAUSE_MS));
    }
  }

  return {
    newest: () => newest,
    writtenAtMs: (number) => written[number]?.atMs ?? Number.POSITIVE_INFINITY,
    membersAt(number) {
      const found = written[number];
      return found === undefined ? null : membersOf(found.inventory);
    },
    write,
    begin() {
      running = run();
      running.catch(() => {}); // told by stop()
    },
    async stop() {
      isStopped = true;
      await running;
    },
  };
}
