/**
 * The NGINX that is installed here. Looks, and changes nothing.
 */
import { access, constants, realpath } from 'node:fs/promises';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { runProgram } from '@edgeward/debian-packages';
import { httpModule, type NginxCandidate } from './nginx-binary.ts';

/** Where packages put it; ordinary users have none of these on PATH. */
const customaryFolders = ['/usr/sbin', '/usr/local/sbin', '/usr/local/nginx/sbin'];
const customaryModules = [
  '/usr/lib/nginx/modules',
  '/usr/lib64/nginx/modules',
  '/usr/share/nginx/modules',
  '/etc/nginx/modules',
];

export type Installed =
  | { readonly state: 'found'; readonly candidate: NginxCandidate }
  | { readonly state: 'unfit'; readonly reason: string };

/** Every NGINX on `searchPath` and in the customary folders, in that order. */
export async function installedNginx(searchPath: string): Promise<Installed[]> {
  const folders = [...searchPath.split(delimiter).filter((folder) => isAbsolute(folder)), ...customaryFolders];
  const programs = await Promise.all(folders.map((folder) => executable(join(folder, 'nginx'))));
  const distinct = [...new Set(programs.filter((program) => program !== null))];
  return Promise.all(distinct.map(inspect));
}

async function inspect(program: string): Promise<Installed> {
  const run = await runProgram(program, ['-V'], { timeoutMs: 5_000 });
  const compiledIn = /--modules-path=(\S+)/.exec(run.stderr)?.[1];
  const beside = join(dirname(program), '..', 'lib', 'nginx', 'modules');
  const folders = [...(compiledIn === undefined ? [] : [compiledIn]), beside, ...customaryModules];
  for (const modulesDir of folders) {
    if (await readable(join(modulesDir, httpModule)))
      return { state: 'found', candidate: { command: [program], modulesDir } };
  }
  return { state: 'unfit', reason: `${program} has no ${httpModule}` };
}

async function executable(path: string): Promise<string | null> {
  const real = await realpath(path).catch(() => null);
  if (real === null) return null;
  const allowed = await access(real, constants.X_OK).then(
    () => true,
    () => false,
  );
  return allowed ? real : null;
}

function readable(path: string): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
}
