import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { generateSigningKey, type SigningKey, signingKeyOf } from '@edgeward/policy-format';
import { EdgewardError, makeFolder, messageOf, readSecret, systemCodeOf, writeDurably } from '@edgeward/runtime';

/**
 * The key that this service signs the policies of its hosts with: a JWK in a file of its own, made when it is missing. A
 * host believes what it was given at enrolment, so a lost key means that every host is enrolled again. It is never replaced
 * here, also not when it can't be read.
 */
const FILE = 'signing-key.json';

/** `folder` is `STATEDIR/hosts`. Throws EDW_ERR_HOST_SIGNING_KEY, EDW_ERR_SECRET_FILE, EDW_ERR_STATE_WRITE. */
export async function openSigningKey(folder: string): Promise<SigningKey> {
  const path = join(folder, FILE);
  if (await isMissing(path)) {
    await makeFolder(folder);
    await writeDurably(path, `${JSON.stringify((await generateSigningKey()).jwk)}\n`);
  }
  const text = await readSecret(path);
  try {
    return await signingKeyOf(JSON.parse(text) as Parameters<typeof signingKeyOf>[0]);
  } catch (cause) {
    throw new EdgewardError('EDW_ERR_HOST_SIGNING_KEY', `reading ${path}: ${messageOf(cause)}`, {
      mend: 'Put the file back from a backup. Without one remove it, start again, and enrol every host anew.',
      cause,
    });
  }
}

/** Whatever else is wrong with the file, another key in its place would silence every host. */
async function isMissing(path: string): Promise<boolean> {
  try {
    await access(path);
    return false;
  } catch (thrown) {
    return systemCodeOf(thrown) === 'ENOENT';
  }
}
