import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { stateWriteError, syncFolder, systemCodeOf } from './durable-file.ts';

/**
 * A folder that is still there after the power fails: what is written into it durably would be gone with its name. Its name
 * is synced each time, as an earlier process may have been killed between making the folder and that; so are the names of
 * folders above it that were made on the way. Throws EDW_ERR_STATE_WRITE.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    const whole = resolve(path);
    const highest = await mkdir(whole, { recursive: true, mode: 0o700 });
    if (highest === undefined) return await syncName(whole);
    for (let made = whole; made.length >= highest.length; made = dirname(made)) await syncFolder(dirname(made));
  } catch (thrown) {
    throw stateWriteError(path, thrown);
  }
}

/** Where the folder above is closed to us, somebody else has made this one. */
async function syncName(path: string): Promise<void> {
  await syncFolder(dirname(path)).catch((thrown: unknown) => {
    if (systemCodeOf(thrown) !== 'EACCES') throw thrown;
  });
}
