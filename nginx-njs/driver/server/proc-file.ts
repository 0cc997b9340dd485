/**
 * Files of /proc, which are asked for again and again while an NGINX starts or ends. Their size is not known before, and
 * what reads such files in general takes a new buffer of 64 KB for each; this one is used again.
 */
import { closeSync, openSync, readSync } from 'node:fs';

const buffer = Buffer.alloc(65_536);

/** The first 64 KB; null where there is none, or none any more. Memory of the kernel's: no disk is waited for. */
export function readProcFile(path: string): string | null {
  let file: number | null = null;
  try {
    file = openSync(path, 'r');
    return buffer.toString('latin1', 0, readSync(file, buffer, 0, buffer.length, 0));
  } catch {
    return null;
  } finally {
    if (file !== null) closeSync(file);
  }
}
