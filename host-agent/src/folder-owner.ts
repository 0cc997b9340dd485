/**
 * Acting as whoever a folder belongs to. A person enrols a host and takes its rules away as root, in the folder of a user who
 * is not: that user may have put links there, and may put them there at any moment. So root is not root while it touches the
 * folder, and what it makes there is that user's from the start.
 */
import { lstat, readlink } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { stateWriteError, systemCodeOf } from '@edgeward/runtime';

export interface Owner {
  uid: number;
  gid: number;
}

/**
 * Runs `work` as the owner of `folder`, where root asks and the folder is not root's; else as it is. The whole process is that
 * user meanwhile: nothing that needs root may run beside it. Throws EDW_ERR_STATE_WRITE where it may not become that user.
 */
export async function asOwnerOf<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const owner = await otherOwnerOf(folder);
  if (owner === null) return work();
  const back = become(owner, folder);
  try {
    return await work();
  } finally {
    back();
  }
}

/** Null where the process is not root, or may touch the folder as root. Throws EDW_ERR_STATE_WRITE. */
export async function otherOwnerOf(folder: string): Promise<Owner | null> {
  if (process.geteuid?.() !== 0) return null;
  try {
    return await ownerOnWay(resolve(folder), MOST_LINKS);
  } catch (thrown) {
    throw stateWriteError(folder, thrown);
  }
}

const MOST_LINKS = 40;

/**
 * The last on the way to a folder who is not root. Not of the folder alone: who has one above it may exchange it for another
 * after it was looked at. What root alone can exchange stays what it was.
 */
async function ownerOnWay(path: string, links: number): Promise<Owner | null> {
  if (links === 0) throw new Error('too many links');
  let owner: Owner | null = null;
  let at: string = sep;
  const names = path.split(sep).filter((name) => name !== '');
  for (const [index, name] of names.entries()) {
    at = join(at, name);
    const found = await lstat(at).catch(nothing);
    // What is made there is made by whom it has to be.
    if (found === null) return owner;
    if (found.uid !== 0) owner = { uid: found.uid, gid: found.gid };
    if (!found.isSymbolicLink()) continue;
    // Where somebody else's link leads is theirs to say, now and later.
    if (found.uid !== 0) return owner;
    const target = resolve(dirname(at), await readlink(at), ...names.slice(index + 1));
    return (await ownerOnWay(target, links - 1)) ?? owner;
  }
  return owner;
}

function nothing(thrown: unknown): null {
  if (systemCodeOf(thrown) === 'ENOENT') return null;
  throw thrown;
}

/** `nogroup` of Debian: a folder of group root makes nobody a member of it. */
const NO_GROUP = 65_534;

/** The answer makes the process what it was. */
function become({ uid, gid }: Owner, folder: string): () => void {
  const { getgroups, setgroups, getegid, setegid, seteuid } = process;
  if (!getgroups || !setgroups || !getegid || !setegid || !seteuid) return () => {};
  const [groups, group] = [getgroups(), getegid()];
  // What was not done is not undone: root without CAP_SETGID may not even set the groups that it has.
  const done: (() => void)[] = [];
  const back = (): void => {
    for (const undo of done.splice(0).reverse()) undo();
  };
  try {
    setgroups([]);
    done.push(() => setgroups(groups));
    setegid(gid === 0 ? NO_GROUP : gid);
    done.push(() => setegid(group));
    // The last: only root changes groups.
    seteuid(uid);
    done.push(() => seteuid(0));
    return back;
  } catch (thrown) {
    back();
    throw stateWriteError(folder, thrown);
  }
}
