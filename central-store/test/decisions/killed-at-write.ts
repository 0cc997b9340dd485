/**
 * A process that kills itself at the write with this number: before a rename, after it, before bytes of the record reach the
 * disk, or after. Imported before what it is to hit; the answer counts writes.
 */
import { promises } from 'node:fs';
import { open } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

/** 0: never. */
export async function killAtWrite(killAt: number): Promise<() => number> {
  let writes = 0;
  const count = (): void => {
    writes += 1;
    if (writes === killAt) process.kill(process.pid, 'SIGKILL');
  };
  const { rename } = promises;
  promises.rename = async (...names) => {
    count();
    await rename(...names);
    count();
  };
  syncBuiltinESMExports();
  const probe = await open(process.execPath, 'r');
  const handle = Object.getPrototypeOf(probe) as { datasync(): Promise<void> };
  await probe.close();
  const { datasync } = handle;
  handle.datasync = async function (this: object) {
    count();
    await datasync.call(this);
    count();
  };
  return () => writes;
}
