/** docs/store.md: its walk is walked, with real processes and a real NGINX, and its configurations are ones. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { loadStoreConfig } from '@edgeward/central-store';
import { loadServiceConfig } from '@edgeward/sync-service';
import { freePort, requireNginx, startEdge } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { store } from '../../cli/src/store/store.ts';
import { edgewardProgram } from '../kit/program.ts';
import { blocksOf, page, tableRows } from './markdown.ts';

await requireNginx(t);

const text = page('docs/store.md');
const begin = text.indexOf('## The first version');
const walk = blocksOf(text.slice(begin, text.indexOf('## For real')));
/** The proposal as the page shows it, and what is written instead. */
const shownId = /proposed ([0-9a-f]{16}):/.exec(text)?.[1] ?? '';

/** What the store of the walk wrote for mirrors. */
let mirrored: string[] = [];

t.test('the walk from an empty folder to a point that has the first version', { timeout: 400_000 }, async (t) => {
  const place = await openPlace(t);
  let said = '';
  let checked = 0;
  for (const { info, text: block, line } of walk) {
    const [, file] = info.split(' ');
    if (file !== undefined) await place.write(file, block);
    else if (info === 'sh') said = await place.type(block);
    else if (info === 'text') {
      for (const shown of block.split('\n').filter((it) => it.trim() !== ''))
        t.ok(said.split('\n').map(form).includes(form(shown)), `line ${line}: ${shown}`, { said });
      checked += 1;
    }
  }
  t.ok(checked >= 6, 'the walk was found');
  mirrored = await place.list('store/mirror', 'inventory.ndjson');
});

t.test('every other configuration on the page is one', async (t) => {
  const folder = t.testdir();
  const given = blocksOf(text).filter(({ info }) => /^yaml (rollout|nats|store)$/.test(info));
  const tls = 'tls: { certFile: a, keyFile: b, clientCaFile: c }\n';
  for (const { info, text: block, line } of given) {
    const file = join(folder, `${line}.yaml`);
    await writeFile(file, info === 'yaml store' ? block : `${tls}${block}`);
    const read = info === 'yaml store' ? loadServiceConfig : loadStoreConfig;
    await t.resolves(async () => void (await read({ file })), `line ${line}`);
  }
  t.equal(given.length, 4);
  const example = (name: string): string => fileURLToPath(new URL(`../../examples/store/${name}`, import.meta.url));
  t.match(await loadStoreConfig({ file: example('edgeward-store.yaml') }), { nats: { servers: { length: 3 } } });
  t.match(await loadServiceConfig({ file: example('edgeward.yaml') }), { points: [{ name: 'edge-1' }] });
});

t.test('every option of `edgeward store` stands on the page', async (t) => {
  const options = new Set(store.commands.flatMap((command) => Object.keys(command.options)));
  t.ok(options.size > 30, 'the commands were read');
  const absent = [...options].filter((name) => !new RegExp(`--${name}(?![\\w-])`).test(text));
  t.strictSame(absent, []);
});

t.test('a mirror is what docs/format.md says', async (t) => {
  const rows = tableRows(page('docs/format.md'), ['path', 'what']).map(([path = '']) => path);
  t.strictSame([...new Set(rows.map((path) => path.split('/')[0]))].sort(), mirrored);
});

/** Ids, times and keys are others each time; so is what is counted in seconds, and how wide a column is. */
function form(line: string): string {
  return line
    .replaceAll(/\b[0-9a-f]{16,64}\b/g, 'HEX')
    .replaceAll(/, key \S+/g, ', key KEY')
    .replaceAll(/ {2}[\w-]{16}$/g, '  KEY')
    .replaceAll(/\b\d+[smhd] ago/g, 'AGO')
    .replaceAll(/\b\d+[hm]\b(?! )|\b\d+h(?= +\d)/g, 'TIME')
    .replaceAll(/localhost:\d+/g, 'localhost:PORT')
    .replaceAll(/ +/g, ' ')
    .trimEnd();
}

interface Place {
  write(file: string, text: string): Promise<void>;
  /** What all lines said, one after the other. What serves goes on. */
  type(lines: string): Promise<string>;
  /** Once this name is among them: the store takes a second for it. */
  list(folder: string, name: string): Promise<string[]>;
}

async function openPlace(t: Test): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-docs-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const edge = await startEdge(t);
  const { tokenFile, denyLog, lastKnownFile } = edge.paths;
  const point = JSON.stringify({ push: edge.pushUrl, tokenFile, denyLog, lastKnownFile });
  const [port, metrics, api] = [await freePort(), await freePort(), await freePort()];
  let id = shownId;
  const here = (block: string): string =>
    block
      .replaceAll(shownId, id)
      .replaceAll('localhost:9443', `localhost:${port}`)
      .replaceAll('edge-1: {}', `edge-1: ${point}\napi: { listen: "127.0.0.1:${api}" }`)
      .replaceAll('www-data', userInfo().username);

  async function one(line: string): Promise<string> {
    const words = [...line.matchAll(/"[^"]*"|\S+/g)].map(([word]) => word.replaceAll('"', ''));
    const [program = '', ...args] = words;
    if (program === 'mkdir') await Promise.all(args.map((name) => mkdir(join(folder, name))));
    if (program !== 'edgeward') return '';
    if (args.includes('serve')) return await serve(t, folder, args);
    const answer = await run(folder, args);
    id = /proposed ([0-9a-f]{16}):/.exec(answer)?.[1] ?? id;
    if (args[1] === 'init') {
      const file = join(folder, 'store/edgeward-store.yaml');
      const written = (await readFile(file, 'utf8')).replace(':9443', `:${port}`);
      await writeFile(file, `${written}metrics: { listen: "127.0.0.1:${metrics}" }\n`);
    }
    return answer;
  }

  return {
    async write(file, block) {
      await mkdir(dirname(join(folder, file)), { recursive: true });
      await writeFile(join(folder, file), here(block));
    },
    async type(block) {
      let said = '';
      for (const line of here(block).trim().split('\n')) said += await one(line);
      return said;
    },
    async list(path, name) {
      for (let attempt = 0; ; attempt += 1) {
        const names = await readdir(join(folder, path));
        if (names.includes(name) || attempt > 300) return names.filter((it) => !it.startsWith('.')).sort();
        await sleep(100);
      }
    },
  };
}

/** Asked again while it says that something is on its way: reports come when they come. */
async function run(folder: string, args: readonly string[]): Promise<string> {
  for (let attempt = 0; ; attempt += 1) {
    const { said, code } = await ended(start(folder, args));
    const isOpen = args.includes('status') && !/\bedge-1 +current\b/.test(said);
    const isEarly = args.includes('propose') && said.includes('not in the inventory');
    if (!isOpen && !isEarly) {
      if (code === 0 || (code === 3 && args.includes('review'))) return said;
      throw new Error(`edgeward ${args.join(' ')} ended with ${code}: ${said}`);
    }
    if (attempt > 120) throw new Error(`edgeward ${args.join(' ')} says after a minute: ${said}`);
    await sleep(500);
  }
}

async function serve(t: Test, folder: string, args: readonly string[]): Promise<string> {
  const child = start(folder, args);
  t.teardown(async () => {
    child.kill('SIGTERM');
    await ended(child);
  });
  let log = '';
  child.stderr?.on('data', (piece: Buffer) => {
    log += piece.toString('utf8');
  });
  for (let attempt = 0; attempt < 1_200; attempt += 1) {
    if (/"event":"(store_listening|service_started)"/.test(log)) return '';
    if (child.exitCode !== null) break;
    await sleep(100);
  }
  throw new Error(`edgeward ${args.join(' ')} does not start: ${log}`);
}

function start(folder: string, args: readonly string[]): ChildProcess {
  const env = { ...process.env, NO_COLOR: '1', NODE_OPTIONS: '' };
  return spawn(process.execPath, [...edgewardProgram, ...args], { cwd: folder, env });
}

async function ended(child: ChildProcess): Promise<{ said: string; code: number | null }> {
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (piece: Buffer) => {
      said += piece.toString('utf8');
    });
  if (child.exitCode !== null || child.signalCode !== null) return { said, code: child.exitCode };
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { said, code };
}
