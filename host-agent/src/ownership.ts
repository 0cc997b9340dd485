import { lchown, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * A file that root wrote into the folder of another user is given to that user: a person enrols a host and takes its rules away
 * as root, and the agent that reads the file afterwards is not root.
 */
export async function giveToFolderOwner(path: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = await stat(dirname(path));
  // Not through a link: that user may have put one there, to a file that is root's.
  if (uid !== 0) await lchown(path, uid, gid);
}
