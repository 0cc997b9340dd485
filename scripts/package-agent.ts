/**
 * `npm run package:agent [-- OUT]`: the host agent as a Debian package and as an archive, in OUT, else in dist/package. Both
 * hold one executable of the pinned Node. For the architecture that this runs on.
 */
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageAgent } from '../host-agent/package/agent-package.ts';

// What is installed is for everybody to read, whoever builds it.
process.umask(0o022);
const root = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(await readFile(`${root}/cli/package.json`, 'utf8')) as { version: string };
const outDir = resolve(process.argv[2] ?? `${root}/dist/package`);
for (const file of await packageAgent({ version, outDir })) {
  process.stdout.write(`${file} ${((await stat(file)).size / 1e6).toFixed(1)} MB\n`);
}
