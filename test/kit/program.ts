import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** `edgeward` as it is in this checkout, as Node is called with it. */
export const edgewardProgram: readonly string[] = ['--conditions=edgeward-source', startable('cli/src/main.ts')];

/**
 * The file to start for a program of this checkout, named from its root or by its whole path. Under `npm test` that is its
 * bundle, made anew each time (scripts/bundle-programs.ts), which starts in half the time; otherwise the source itself.
 */
export function startable(program: string): string {
  const name = program.startsWith('/') ? relative(root, program) : program;
  const bundle = join(root, 'node_modules/.cache/edgeward/programs', name.replace(/\.ts$/, '.mjs'));
  return process.env.TEST_PROGRAMS === 'bundled' && existsSync(bundle) ? bundle : join(root, name);
}
