/** A folder of its own for one demonstration, gone with it: a copy of the example policies, the configuration, the state. */
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface DemoFolder {
  path: string;
  policies: string;
  configFile: string;
  /** Replaces text in one policy file, by rename, as an editor does. */
  edit(file: string, from: string, to: string): Promise<void>;
  remove(): Promise<void>;
}

const examples = fileURLToPath(new URL('../../../examples/', import.meta.url));

export async function createDemoFolder(): Promise<DemoFolder> {
  const path = await mkdtemp(join(tmpdir(), 'edgeward-demo-'));
  const policies = join(path, 'policies');
  await cp(join(examples, 'policies'), policies, { recursive: true });
  await mkdir(join(path, 'state'));
  const configFile = join(path, 'edgeward.yaml');
  await writeFile(configFile, await configuration());
  return {
    path,
    policies,
    configFile,
    edit: async (file, from, to) => {
      const target = join(policies, file);
      const text = await readFile(target, 'utf8');
      await writeFile(`${target}.new`, text.replace(from, to));
      await rename(`${target}.new`, target);
    },
    remove: () => rm(path, { recursive: true, force: true }),
  };
}

/** The example configuration, with a state folder beside it and ports that are free on this machine. */
async function configuration(): Promise<string> {
  const text = await readFile(join(examples, 'edgeward.yaml'), 'utf8');
  const [push, api] = [await freePort(9180), await freePort(9400)];
  return text
    .replace(/^stateDir: .*$/m, 'stateDir: state')
    .replace('http://127.0.0.1:9180', `http://127.0.0.1:${push}`)
    .replace('127.0.0.1:9400', `127.0.0.1:${api}`);
}

/** The preferred port, or any that is free where it is taken. */
export async function freePort(preferred: number): Promise<number> {
  return (await tryPort(preferred)) ?? (await tryPort(0)) ?? preferred;
}

function tryPort(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : null));
    });
  });
}
