/**
 * The agent's program as one script: what is reached from its entry, and nothing else. Node's single executables start a
 * CommonJS script, so that nothing in it may wait at the top level or ask for the place of its module; either ends the build.
 */
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Bundle {
  /** Folders of the libraries that are in it, for their licences. */
  libraries: string[];
}

export async function bundleProgram(request: { entry: string; version: string; outFile: string }): Promise<Bundle> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [request.entry],
    outfile: request.outFile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node24',
    conditions: ['edgeward-source'],
    // Names stay as they are: a stack trace is all that there is to read.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    metafile: true,
    logLevel: 'error',
    logOverride: { 'empty-import-meta': 'error' },
    plugins: [knownVersion(request.version)],
  });
  return { libraries: librariesOf(Object.keys(metafile.inputs)) };
}

/** The version is read from package.json elsewhere, and there is none beside an executable. */
function knownVersion(version: string): Plugin {
  const contents = `export const version = ${JSON.stringify(version)};\n`;
  return {
    name: 'known-version',
    setup({ onLoad }) {
      onLoad({ filter: /[/\\]cli[/\\]src[/\\]version\.ts$/ }, () => ({ contents, loader: 'ts' }));
    },
  };
}

const LIBRARY = /^(.*\bnode_modules\/(?:@[^/]+\/)?[^/]+)\//;

function librariesOf(inputs: readonly string[]): string[] {
  const folders = inputs.flatMap((input) => LIBRARY.exec(input)?.[1] ?? []);
  return [...new Set(folders)].sort().map((folder) => join(root, folder));
}

/** The licences of what is in the executable beside our own: the libraries', and Node's with all that is in that. */
export async function licenceTexts(bundle: Bundle, node: string): Promise<string> {
  const folders = [...bundle.libraries, join(dirname(node), '..')];
  const texts = folders.map(async (folder) => {
    const { name, version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as {
      name: string;
      version: string;
    };
    return `${name} ${version}\n\n${(await licenceIn(folder)).trimEnd()}\n`;
  });
  return (await Promise.all(texts)).join(`\n${'-'.repeat(80)}\n\n`);
}

async function licenceIn(folder: string): Promise<string> {
  const name = (await readdir(folder)).find((name) => /^licen[cs]e(\.\w+)?$/i.test(name));
  if (name === undefined) throw new Error(`${folder}: what is passed on needs its licence, and there is none`);
  return readFile(join(folder, name), 'utf8');
}
