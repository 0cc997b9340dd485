/**
 * Secrets come from files only: never from a flag, an environment variable or a configuration value, where a process
 * list or a log would show them. A secret that everyone on the machine can read is no secret and is refused.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { stateWriteError, syncFolder, systemCodeOf, writeUnfinished } from './durable-file.ts';
import { EdgewardError, messageOf } from './errors.ts';

const maxBytes = 64 * 1024;

export interface SecretOptions {
  /** Called instead of refusing a file that others can read; Docker and Kubernetes mount secrets like that. */
  onExposed?: (message: string) => void;
}

/** The content of a secret file without its one final newline. Throws EDW_ERR_SECRET_FILE. */
export async function readSecret(path: string, options: SecretOptions = {}): Promise<string> {
  const { text, mode } = await readSmallFile(path);
  if ((mode & 0o007) !== 0) {
    const message = `the secret file ${path} is open to every user (mode ${(mode & 0o777).toString(8).padStart(4, '0')})`;
    if (options.onExposed === undefined) throw secretError(message, `Close it: chmod 600 ${path}`);
    options.onExposed(message);
  }
  const secret = text.replace(/\r?\n$/, '');
  if (secret === '') throw secretError(`the secret file ${path} is empty`, 'Write the secret into it, on one line.');
  return secret;
}

/** Reads the secret at `path`, or first creates it: `bytes` random bytes (32) in hex, with `mode` (0600). */
export async function ensureSecret(path: string, options: { bytes?: number; mode?: number } = {}): Promise<string> {
  const mode = options.mode ?? 0o600;
  // A mode that others may read was asked for by the caller, so reading it back must not refuse it.
  const reading: SecretOptions = (mode & 0o007) === 0 ? {} : { onExposed: () => {} };
  try {
    return await readSecret(path, reading);
  } catch (thrown) {
    if (!(thrown instanceof EdgewardError) || systemCodeOf(thrown.cause) !== 'ENOENT') throw thrown;
  }
  await createSecret(path, randomBytes(options.bytes ?? 32).toString('hex'), mode);
  return await readSecret(path, reading);
}

/** Linked, not renamed: of two processes that create it at once, one wins and both read the same secret. */
async function createSecret(path: string, secret: string, mode: number): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const unfinished = await writeUnfinished(path, `${secret}\n`, mode);
    try {
      await link(unfinished, path);
    } catch (thrown) {
      if (systemCodeOf(thrown) !== 'EEXIST') throw thrown;
    } finally {
      await rm(unfinished, { force: true });
    }
    await syncFolder(dirname(path));
  } catch (thrown) {
    throw stateWriteError(path, thrown);
  }
}

async function readSmallFile(path: string): Promise<{ text: string; mode: number }> {
  try {
    // A pipe is refused, and not waited for.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = await file.stat();
      if (!stat.isFile()) throw new Error('it is not a regular file');
      if (stat.size > maxBytes) throw new Error(`it has ${stat.size} bytes, more than ${maxBytes}`);
      return { text: await file.readFile('utf8'), mode: stat.mode };
    } finally {
      await file.close();
    }
  } catch (thrown) {
    const mend = 'Check the path in the configuration, and that the user who runs Edgeward may read the file.';
    throw secretError(`reading the secret file ${path}: ${messageOf(thrown)}`, mend, thrown);
  }
}

function secretError(message: string, mend: string, cause?: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_SECRET_FILE', message, cause === undefined ? { mend } : { mend, cause });
}
