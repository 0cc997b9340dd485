/** Files that are written once: keys, drafts, profiles. */
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EdgewardError, messageOf, syncFolder, systemCodeOf } from '@edgeward/runtime';

/** A file that is there stays: a key that is overwritten is lost for ever. Throws EDW_ERR_OUT_FILE. */
export async function writeNew(path: string, text: string, mode: number): Promise<void> {
  try {
    const file = await open(path, 'wx', mode);
    try {
      await file.chmod(mode);
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await syncFolder(dirname(path));
  } catch (cause) {
    const why = systemCodeOf(cause) === 'EEXIST' ? 'there is one already, and it stays' : messageOf(cause);
    throw new EdgewardError('EDW_ERR_OUT_FILE', `writing ${path}: ${why}`, {
      mend: 'Name a new file in a folder that exists and that you may write in.',
      cause,
    });
  }
}
