/** A folder of its own for one demonstration, gone with it: a copy of the example policies, the configuration, the state. */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { relabel } from './inventory.ts';

export interface DemoFolder {
  path: string;
  policies: string;
  configFile: string;
  /** Replaces text in what the inventory says of one workload, by rename, as an editor does. */
  relabel(workload: string, from: string, to: string): Promise<void>;
  /** A pair that the configuration names too, with an object of its own. Before the configuration is read. */
  addPair(pair: PairPlace): Promise<void>;
  remove(): Promise<void>;
}

interface PairPlace {
  urls: readonly string[];
  /** PEM. */
  ca: string;
  password: string;
  /** The virtual server's. */
  frontPort: number;
  denialsPort: number;
}

const examples = fileURLToPath(new URL('../../../examples/', import.meta.url));

export async function createDemoFolder(): Promise<DemoFolder> {
  const path = await mkdtemp(join(tmpdir(), 'edgeward-demo-'));
  const policies = join(path, 'policies');
  await cp(join(examples, 'policies'), policies, { recursive: true });
  await mkdir(join(path, 'state'));
  const configFile = join(path, 'edgeward.yaml');
  await writeFile(configFile, await configuration('edgeward.yaml'));
  return {
    path,
    policies,
    configFile,
    relabel: (workload, from, to) => relabel(join(policies, 'inventory.yaml'), workload, from, to),
    addPair: (pair) => addPair({ path, policies, configFile }, pair),
    remove: () => rm(path, { recursive: true, force: true }),
  };
}

/** The text of an example. */
export function example(name: string): Promise<string> {
  return readFile(join(examples, name), 'utf8');
}

async function addPair(folder: Pick<DemoFolder, 'path' | 'policies' | 'configFile'>, pair: PairPlace): Promise<void> {
  const { path, policies, configFile } = folder;
  const front = (await example('bigip/order-front.yaml')).replace('tcp/8088', `tcp/${pair.frontPort}`);
  await writeFile(join(policies, 'order-front-bigip.yaml'), front);
  await writeFile(join(path, 'bigip-password'), `${pair.password}\n`, { mode: 0o600 });
  await writeFile(join(path, 'bigip-ca.pem'), pair.ca);
  const text = await configuration('bigip/edgeward.yaml');
  await writeFile(
    configFile,
    text
      .replace(/^( +urls:) \[.*\]/m, `$1 [${pair.urls.join(', ')}]`)
      .replace('127.0.0.1:6514', `127.0.0.1:${pair.denialsPort}`),
  );
}

/** An example configuration, with a state folder beside it and ports that are free on this machine. */
async function configuration(name: string): Promise<string> {
  const text = await example(name);
  const [push, api] = [await freePort(9180), await freePort(9400)];
  return text
    .replace(/^stateDir: .*$/m, 'stateDir: state')
    .replace('http://127.0.0.1:9180', `http://127.0.0.1:${push}`)
    .replace('127.0.0.1:9400', `127.0.0.1:${api}`);
}

/** The preferred port, or any that is free where it is taken. */
export async function freePort(preferred: number, host = '127.0.0.1'): Promise<number> {
  return (await tryPort(preferred, host)) ?? (await tryPort(0, host)) ?? preferred;
}

function tryPort(port: number, host: string): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen(port, host, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : null));
    });
  });
}
