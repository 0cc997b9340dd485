/** What is soaked: test files found by what they read from the environment, a few that have fixed numbers, the mutants. */
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { liveEditions } from '../kit/nginx-edition-names.ts';

export interface Proof {
  name: string;
  command: string[];
  env: Record<string, string>;
  /** One line out of all that it printed. */
  summary(said: string): string;
}

export const root: string = fileURLToPath(new URL('../../', import.meta.url));

/** Their numbers are fixed, and each run draws anew: repeated instead, a fourth of `runs` times. */
const repeated = [
  'audit-collector/test/collector-kill.test.ts',
  'audit-collector/test/listener-kill.test.ts',
  'audit-collector/test/records-kill.test.ts',
  'audit-collector/test/ledger/ledger-kill.test.ts',
  'audit-collector/test/sinks/sink-postgres.test.ts',
  'test/parity/switch-under-load.test.ts',
  // Every way to a store, held to the one suite: who is quicker is another one each time.
  'policy-feed/test/files.test.ts',
  'policy-feed/test/https-conformance.test.ts',
  'policy-feed/test/nats-conformance.test.ts',
  'policy-feed/test/nats-cluster.test.ts',
  'central-store/test/serving-conformance.test.ts',
];

/** What they try is the same each time: once. */
const once = ['test/parity/bigip-vectors.test.ts'];

/** Everything in them is a proof: what takes no number runs once. */
const wholeFolders = ['test/redteam'];

/** They take a number of rounds, and no factor: so many by themselves. */
const roundsOf: Record<string, number> = {
  // Ten thousand denials each: with 20 runs a million.
  'deny-forwarder/test/backlog.test.ts': 5,
  // Six hops: sixty kills of each.
  'test/system/audit-chain.test.ts': 3,
  'policy-feed/test/follower-kill.test.ts': 12,
  'central-store/test/publishing-kill.test.ts': 6,
  'central-store/test/record.test.ts': 6,
  // Half a minute each.
  'central-store/test/nats-kills.test.ts': 1,
};

/**
 * Whatever was asked for: 60 directories of 6 flows each are more than 20,000 with this, and 60 of three or four each more
 * than 100,000.
 */
const leastRuns: Record<string, number> = {
  'test/parity/bigip-random.test.ts': 56,
  'test/parity/nginx-random.test.ts': 560,
};

/** Longer than any of them takes; what bounds a soak is its own deadline. */
const timeoutSeconds = 6 * 3600;

export async function proofs(runs: number): Promise<Proof[]> {
  const multiplied = await filesThatTakeRuns();
  const again = repeated.filter((file) => !multiplied.includes(file));
  const others = [...once, ...(await filesIn(wholeFolders))].filter((file) => !multiplied.includes(file));
  const times = Math.max(1, Math.ceil(runs / 4));
  return [
    ...multiplied.map((file) => multipliedProof(file, runs)),
    ...others.map((file) => testProof(file, [file], {})),
    ...again.map((file) =>
      testProof(
        `${file}, ${times} ${times === 1 ? 'run' : 'runs'}`,
        Array.from({ length: times }, () => file),
        {},
      ),
    ),
    ...(await editionProofs()),
    {
      name: 'scripts/mutants.ts, all of them',
      command: [process.execPath, 'scripts/mutants.ts'],
      env: {},
      summary: (said) => said.trim().split('\n').at(-1) ?? '',
    },
  ];
}

/** What runs on one NGINX alone, because another costs too much each time: all of it on each. */
async function editionProofs(): Promise<Proof[]> {
  const files = (await filesWith(/\brequireNginx\(t\);|\bonEveryNginx\(t, \[/)).join(' ');
  const tap = `node_modules/.bin/tap --reporter=tap --jobs=1 --timeout=${timeoutSeconds}`;
  return liveEditions.map((edition) => ({
    name: `what runs on one NGINX alone, on ${edition}`,
    command: ['/bin/sh', '-c', `${tap} ${files}`],
    env: { EDGEWARD_NGINX_EDITION: edition },
    summary: testSummary,
  }));
}

async function filesWith(words: RegExp): Promise<string[]> {
  const found = new Set<string>();
  for (const folder of await testFolders())
    for (const name of await readdir(join(root, folder), { recursive: true })) {
      const file = join(folder, name);
      // Fixtures name what the files beside them run on.
      if (file.endsWith('.test.ts') && words.test(await readFile(join(root, file), 'utf8'))) found.add(file);
    }
  return [...found].sort();
}

function multipliedProof(file: string, runs: number): Proof {
  const rounds = roundsOf[file];
  const times = rounds === undefined ? Math.max(runs, leastRuns[file] ?? 0) : rounds * runs;
  const name = rounds === undefined ? `${file}, numbers × ${times}` : `${file}, ${times} rounds`;
  return testProof(name, [file], { EDGEWARD_RUNS: String(times) });
}

/** A file that is named several times runs several times, one after the other: tap itself takes each name once. */
function testProof(name: string, files: string[], env: Record<string, string>): Proof {
  const tap = `node_modules/.bin/tap --reporter=tap --jobs=1 --timeout=${timeoutSeconds}`;
  const each = files.map((file) => `${tap} ${file}`).join(' && ');
  return { name, command: ['/bin/sh', '-c', each], env, summary: testSummary };
}

function testSummary(said: string): string {
  const totals = [...said.matchAll(/^# \{ (total: \d+.*) \}$/gm)].map((found) => found[1] ?? '');
  const seeds = new Set([...said.matchAll(/EDGEWARD_SEED=(\d+)/g)].map((found) => found[1]));
  const known = [...seeds].slice(0, 3).join(', ');
  // What a proof counts besides its assertions.
  const pairs = [...said.matchAll(/# (\d+ pairs of [a-z ]+)$/gm)].map((found) => found[1] ?? '');
  const words = [...new Set([...totals, ...pairs])].join('; ');
  if (seeds.size === 0) return words;
  return `${words}; ${seeds.size} seeds (${known}${seeds.size > 3 ? ', …' : ''})`;
}

async function filesThatTakeRuns(): Promise<string[]> {
  // A workspace below `test` is found twice.
  const files = new Set<string>();
  for (const folder of await testFolders()) {
    const names = await readdir(join(root, folder), { recursive: true });
    for (const name of names.sort()) {
      const file = join(root, folder, name);
      // The sample of mutants has no more to try: all of them are tried below.
      if (!name.endsWith('.test.ts') || name === 'mutants.test.ts') continue;
      if (await takesRuns(file)) files.add(relative(root, file));
    }
  }
  return [...files];
}

async function filesIn(folders: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    folders.map(async (folder) => {
      const names = await readdir(join(root, folder)).catch(() => []);
      return names.filter((name) => name.endsWith('.test.ts')).map((name) => `${folder}/${name}`);
    }),
  );
  return found.flat().sort();
}

/** `test` of every workspace, and the folder `test` itself. */
async function testFolders(): Promise<string[]> {
  const { workspaces } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { workspaces: string[] };
  const folders = workspaces.map((folder) => (folder === 'test' ? 'test' : `${folder}/test`));
  const found = await Promise.all(folders.map((folder) => readdir(join(root, folder)).catch(() => null)));
  return folders.filter((_, at) => found[at] !== null);
}

/** Whether the file reads EDGEWARD_RUNS, or uses what another one exports that does. */
async function takesRuns(file: string): Promise<boolean> {
  const text = await readFile(file, 'utf8').catch(() => '');
  if (text.includes(variable)) return true;
  for (const [, names = '', path = ''] of text.matchAll(/import \{([^}]*)\} from '(\.[^']+\.ts)'/g)) {
    const readers = readersIn(await readFile(resolve(dirname(file), path), 'utf8').catch(() => ''));
    if (names.split(',').some((name) => readers.includes(name.trim()))) return true;
  }
  return false;
}

const variable = 'process.env.EDGEWARD_RUNS';

/** Names of the exports that read it. A kit that has one such export does not make random tests of all that use it. */
function readersIn(text: string): string[] {
  const declared = text.split(/^export /m).filter((part) => part.includes(variable));
  return declared.flatMap((part) => /^(?:const|function|async function) (\w+)/.exec(part)?.[1] ?? []);
}
