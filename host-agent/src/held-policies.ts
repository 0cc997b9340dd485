/**
 * The policies that lie on this host, whole and as they were signed: what has only another number since then need not be sent
 * again. What can't be read is not held; whether it is still what was signed is looked at by whoever uses it.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface HeldPolicies {
  /** The first 16 hex digits of the hash of each. */
  names(): Promise<string[]>;
  /** By its hash. */
  read(hash: string): Promise<Buffer | null>;
}

export const NONE_HELD: HeldPolicies = { names: async () => [], read: async () => null };

/** As `last-known` keeps them. */
const FILE = /^\d+-([0-9a-f]{16})\.policy$/;

export function heldPolicies(stateDir: string): HeldPolicies {
  const folder = join(stateDir, 'policies');
  const files = (): Promise<string[]> => readdir(folder).catch(() => []);
  return {
    async names() {
      return [...new Set((await files()).flatMap((file) => FILE.exec(file)?.[1] ?? []))];
    },
    async read(hash) {
      const found = (await files()).find((file) => FILE.exec(file)?.[1] === hash.slice(0, 16));
      return found === undefined ? null : readFile(join(folder, found)).catch(() => null);
    },
  };
}
