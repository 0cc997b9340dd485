import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The import rules of ARCHITECTURE.md, as part of the build. A folder may import the packages that stand beside it here,
 * Node's own modules where it says so, and whatever library its package.json names.
 */
interface Rule {
  /** Packages of the workspace, without `@edgeward/`. */
  packages: readonly string[];
  node: boolean;
}

const RULES: Record<string, Rule> = {
  'policy/src': { packages: [], node: false },
  'runtime/src': { packages: [], node: true },
  'debian-packages/src': { packages: ['runtime'], node: true },
  'deny-spool/src': { packages: ['runtime'], node: true },
  'policy-source/src': { packages: ['policy', 'runtime'], node: true },
  'policy-cache/src': { packages: ['policy', 'runtime'], node: true },
  'enforcement-point/src': { packages: ['policy', 'runtime'], node: true },
  'deny-log/src': { packages: ['policy', 'runtime'], node: true },
  'deny-forwarder/src': { packages: ['deny-log', 'deny-spool', 'runtime'], node: true },
  'audit-collector/src': { packages: ['deny-log', 'policy', 'runtime'], node: true },
  'grafana/src': { packages: [], node: true },
  // njs has `fs` and `crypto` of its own, under these names.
  'nginx-njs/src': { packages: ['policy'], node: false },
  'nginx-njs/driver': { packages: ['debian-packages', 'enforcement-point', 'policy', 'runtime'], node: true },
  'f5-irules/driver': { packages: ['enforcement-point', 'policy', 'runtime'], node: true },
  'f5-irules/export': { packages: ['enforcement-point', 'policy', 'runtime'], node: true },
  'host-agent/driver': { packages: ['enforcement-point', 'policy', 'runtime'], node: true },
  'host-agent/protocol': { packages: ['policy', 'policy-format', 'runtime'], node: true },
  'host-agent/src': {
    packages: ['deny-spool', 'enforcement-point', 'policy', 'policy-feed', 'policy-format', 'runtime'],
    node: true,
  },
  'policy-format/src': { packages: ['policy', 'runtime'], node: true },
  'policy-feed/src': { packages: ['policy', 'policy-format', 'runtime'], node: true },
  'certificates/src': { packages: ['policy-format', 'runtime'], node: true },
  'central-store/src': {
    packages: ['certificates', 'policy', 'policy-feed', 'policy-format', 'policy-source', 'runtime'],
    node: true,
  },
  'test/kit/bigip-simulator/src': { packages: ['runtime'], node: true },
  'sync-service/src': {
    packages: [
      'audit-collector',
      'certificates',
      'enforcement-point',
      'f5-irules',
      'host-agent',
      'nginx-njs',
      'policy',
      'policy-cache',
      'policy-feed',
      'policy-format',
      'policy-source',
      'runtime',
    ],
    node: true,
  },
  'cli/src': {
    packages: [
      'audit-collector',
      'bigip-simulator',
      'central-store',
      'certificates',
      'debian-packages',
      'deny-forwarder',
      'deny-log',
      'f5-irules',
      'host-agent',
      'nginx-njs',
      'policy',
      'policy-feed',
      'policy-format',
      'policy-source',
      'runtime',
      'sync-service',
    ],
    node: true,
  },
};

/** What NGINX's driver may read of the module. */
const root = fileURLToPath(new URL('..', import.meta.url));
const problems = Object.entries(RULES).flatMap(([folder, rule]) =>
  sourcesIn(join(root, folder)).flatMap((file) => problemsIn(file, folder, rule)),
);
for (const problem of problems) process.stderr.write(`${problem}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;

function sourcesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}

function problemsIn(file: string, folder: string, rule: Rule): string[] {
  const libraries = Object.keys(packageOf(folder).dependencies ?? {});
  const text = readFileSync(file, 'utf8');
  // Biome's formatting puts the end of every import on a line of its own shape.
  const named = [...text.matchAll(/^(?:import|export|\})[^'\n]*\bfrom '([^']+)';$/gm)].map((match) => match[1] ?? '');
  const bare = [...text.matchAll(/^import '([^']+)';$/gm)].map((match) => match[1] ?? '');
  const called = [...text.matchAll(/\bimport\(\s*'([^']+)'/g)].map((match) => match[1] ?? '');
  return [...named, ...bare, ...called]
    .filter((name) => !isAllowed(name, file, folder, rule, libraries))
    .map((name) => `${relative(root, file)}: ${folder} may not import ${name} (ARCHITECTURE.md, import rules)`);
}

function isAllowed(name: string, file: string, folder: string, rule: Rule, libraries: string[]): boolean {
  if (name.startsWith('.')) return isInside(resolve(dirname(file), name), folder);
  if (name.startsWith('@edgeward/')) return rule.packages.includes(name.split('/')[1] ?? '');
  if (name.startsWith('node:')) return rule.node;
  if (folder === 'nginx-njs/src') return name === 'fs' || name === 'crypto';
  return libraries.includes(
    name
      .split('/')
      .slice(0, name.startsWith('@') ? 2 : 1)
      .join('/'),
  );
}

/** The driver and the module share the layout of the dictionary and the frame of a call; an export is what the driver would do. */
function isInside(target: string, folder: string): boolean {
  const path = relative(root, target);
  if (folder === 'nginx-njs/driver' && /^nginx-njs.src.(layout|frame)\.ts$/.test(path)) return true;
  // The agent is what uses the driver and speaks the protocol.
  if (folder === 'host-agent/src' && /^host-agent.(driver|protocol)/.test(path)) return true;
  if (folder === 'f5-irules/export' && path.startsWith(join('f5-irules', 'driver') + sep)) return true;
  return path.startsWith(folder + sep);
}

function packageOf(folder: string): { dependencies?: Record<string, string> } {
  const name = folder.slice(0, folder.lastIndexOf('/'));
  return JSON.parse(readFileSync(join(root, name, 'package.json'), 'utf8')) as {
    dependencies?: Record<string, string>;
  };
}
