/**
 * A large estate: 100,000 workloads in one NDJSON inventory, 2,000 rules with HTTP conditions over 200 virtual servers.
 * Each rule selects by two labels, about 50 workloads. One workload stands on loopback, so that a request can be made.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export const WORKLOADS = 100_000;
export const RULES = 2_000;
export const OBJECTS = 200;
const APPS = 500;
const ENVS = ['prod', 'stage', 'dev', 'test'];
const POLICY_FILES = 20;

/** The workload whose label is edited: the first, a source of rule r-0 while its `env` is `prod`. */
export const MOVED = '127.0.3.1';
export const MOVED_PATH = '/v0/x';
export const OBJECT = 'vs-0';

export interface LargePolicies {
  inventoryFile: string;
  /** The whole inventory, with that label of the first workload. */
  inventory(env: 'prod' | 'dev'): string;
}

export async function writeLargePolicies(directory: string): Promise<LargePolicies> {
  await mkdir(directory, { recursive: true });
  const rest = Array.from({ length: WORKLOADS - 1 }, (_, i) => workload(i + 1)).join('\n');
  const inventory = (env: 'prod' | 'dev'): string => `${workload(0, MOVED, env)}\n${rest}\n`;
  const inventoryFile = join(directory, 'inventory.ndjson');
  await writeFile(inventoryFile, inventory('prod'));
  await writeFile(join(directory, 'objects.yaml'), numbers(OBJECTS).map(virtualServer).join('---\n'));
  for (const file of numbers(POLICY_FILES)) {
    const rules = numbers(RULES / POLICY_FILES).map((n) => rule((file * RULES) / POLICY_FILES + n));
    await writeFile(join(directory, `policy-${file}.yaml`), `kind: Policy\nname: p-${file}\nrules:\n${rules.join('')}`);
  }
  return { inventoryFile, inventory };
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** Addresses are spread over 64 networks of /16, and those of one app over all of them: nothing joins into ranges. */
function workload(i: number, address?: string, env?: string): string {
  const spread = i * 42;
  const labels = {
    app: `app-${i % APPS}`,
    env: env ?? ENVS[(i >> 3) % ENVS.length],
    role: ['web', 'api', 'db'][i % 3],
    loc: ['eu', 'us'][i % 2],
  };
  const own = address ?? `10.${(spread >> 16) & 255}.${(spread >> 8) & 255}.${spread & 255}`;
  return JSON.stringify({ kind: 'Workload', name: `w-${i}`, labels, addresses: [own] });
}

function virtualServer(i: number): string {
  const labels = `{ app: app-${i}, role: front }`;
  return `kind: VirtualServer\nname: vs-${i}\nlabels: ${labels}\npoint: edge-1\nbind: vs-${i}\nports: [tcp/443]\nmode: enforce\n`;
}

/** The ten rules of an object select ten different groups. */
function rule(k: number): string {
  const env = ENVS[(k + Math.floor(k / OBJECTS)) % ENVS.length];
  const from = `      - workloads: "app == 'app-${(k * 13) % APPS}' && env == '${env}'"\n`;
  const to = `    to: "app == 'app-${k % OBJECTS}' && role == 'front'"\n`;
  return `  - id: r-${k}\n    from:\n${from}${to}    http: [{ methods: [GET], path: /v${k}/* }]\n`;
}
