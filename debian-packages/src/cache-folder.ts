/**
 * Where programs that were fetched are kept. Names the folder, and makes none.
 */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** `$EDGEWARD_CACHE`, else `edgeward` in `$XDG_CACHE_HOME` or `~/.cache`. */
export function defaultCacheDir(env: Record<string, string | undefined> = process.env): string {
  if (env.EDGEWARD_CACHE) return resolve(env.EDGEWARD_CACHE);
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'edgeward');
}
