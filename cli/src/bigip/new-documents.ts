/** A new file of a policy directory, for documents that a person goes on writing: none is ever replaced. */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { EdgewardError, messageOf, writeDurably } from '@edgeward/runtime';

/** Before anything is asked, and not again after: nobody waits for a box to be told of a file. */
export async function refuseExisting(file: string): Promise<void> {
  const isThere = await access(file, constants.F_OK).then(
    () => true,
    () => false,
  );
  if (!isThere) return;
  throw new EdgewardError('EDW_ERR_OUT_FILE', `writing ${file}: it exists already`, {
    mend: 'Name a new file: labels that were filled in there would be lost.',
  });
}

export async function writeDocuments(file: string, text: string): Promise<void> {
  await writeDurably(file, text, { mode: 0o644 }).catch((cause: unknown) => {
    throw new EdgewardError('EDW_ERR_OUT_FILE', messageOf(cause), {
      mend: 'Name a file in a folder that exists and that you may write in.',
      cause,
    });
  });
}
