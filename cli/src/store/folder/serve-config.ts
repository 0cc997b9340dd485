/** The first configuration of a store's server, as `store init` leaves it; and the folder that machines write workloads to. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '@edgeward/runtime';
import { stringify } from 'yaml';

export const LOCAL_HOSTS: readonly string[] = ['localhost', '127.0.0.1', '::1'];

/** The file. Throws EDW_ERR_STATE_WRITE. */
export async function writeServeConfig(dir: string, hosts: readonly string[]): Promise<string> {
  await mkdir(join(dir, 'inventory'), { recursive: true, mode: 0o750 });
  const file = join(dir, 'edgeward-store.yaml');
  const local = hosts.every((host) => LOCAL_HOSTS.includes(host));
  const text = stringify({
    stateDir: '.',
    inventory: 'inventory',
    listen: `${local ? '127.0.0.1' : '0.0.0.0'}:9443`,
    tls: { certFile: 'tls/server.pem', keyFile: 'tls/server-key.pem', clientCaFile: 'tls/store-ca.pem' },
  });
  await writeDurably(file, `# docs/configuration.md has every key.\n${text}`, { mode: 0o644 });
  return file;
}
