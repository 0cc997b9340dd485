/**
 * One executable file from the pinned Node and a script (https://nodejs.org/api/single-executable-applications.html). Its
 * script is compiled by the Node that runs it, so that both are of one version and one architecture.
 */
import { chmod, copyFile, realpath, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { run } from './program-run.ts';

const require = createRequire(import.meta.url);
/** Where Node looks whether there is a script in it. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/** Of the pinned Node, as `npm ci` brought it along. */
export async function pinnedNode(): Promise<string> {
  return realpath(require.resolve(`node-${process.platform}-${process.arch}/bin/node`));
}

export interface ExecutableRequest {
  node: string;
  script: string;
  /** For what is made on the way. */
  workDir: string;
  outFile: string;
}

export async function makeExecutable({ node, script, workDir, outFile }: ExecutableRequest): Promise<void> {
  const [config, blob] = [join(workDir, 'executable.json'), join(workDir, 'executable.blob')];
  const settings = {
    // Relative: stack traces name it, and where it was built is nobody's concern.
    main: relative(workDir, script),
    output: blob,
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    // Young objects of a program that is idle most of the time need little room.
    execArgv: ['--max-semi-space-size=1', '--v8-pool-size=1'],
    // Whatever NODE_OPTIONS says where the agent is started.
    execArgvExtension: 'none',
  };
  await writeFile(config, JSON.stringify(settings));
  await run(node, ['--experimental-sea-config', config], workDir);
  await copyFile(node, outFile);
  await chmod(outFile, 0o755);
  await strip(outFile);
  // The JavaScript of postject has no types; its command is its interface.
  const postject = require.resolve('postject/dist/cli.js');
  await run(node, [postject, outFile, 'NODE_SEA_BLOB', blob, '--sentinel-fuse', FUSE]);
}

/** Symbols are 18 MB. Only before the script is in: afterwards what comes out of `strip` does not start. */
async function strip(file: string): Promise<void> {
  await run('strip', [file]).catch((thrown: NodeJS.ErrnoException) => {
    // Without binutils it is larger, and no other program.
    if (thrown.code !== 'ENOENT') throw thrown;
  });
}
