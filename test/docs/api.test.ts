/** docs/api.md against a running service: its routes, and every key of its answers. The point and the sink are away throughout. */
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLifecycle, createLogger } from '@edgeward/runtime';
import { loadServiceConfig, type Service, startService } from '@edgeward/sync-service';
import { freePort } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { describedRoutes } from '../../audit-collector/src/api/denial-routes.ts';
import { parametersOf } from '../../audit-collector/src/api/query.ts';
import { blocksOf, page, tableRows } from './markdown.ts';

const text = page('docs/api.md');
const source = page('sync-service/src/status-api.ts');
/** Nothing is asked of a ledger while they are only listed. */
const routes = describedRoutes({ ledger: {} as never });

t.test('every route and every parameter is documented, in the words of the code, and no other', async (t) => {
  const own = [...source.matchAll(/method: '(\w+)',\s+path: '([^']+)'/g)].map((match) => [match[1], match[2]]);
  t.ok(own.length > 4, 'the source was read');
  const ofLedger = routes.map(({ path }) => ['GET', path]);
  const documented = tableRows(text, ['method', 'path', 'answer']);
  t.strictSame(
    documented.map((row) => row.slice(0, 2)),
    [...own, ...ofLedger],
  );
  for (const { path, summary, query } of routes) {
    t.strictSame(documented.find(([, name]) => name === path)?.[2], summary, path);
    const [, section = ''] = text.split(`\n## GET ${path}\n`);
    const [own = ''] = section.split('\n## ');
    const parameters = Object.entries(query === null ? {} : parametersOf(query));
    t.strictSame(
      tableRows(own, ['parameter', 'meaning']),
      parameters.map(([name, { description }]) => [name, description]),
      path,
    );
  }
});

t.test('the examples have the keys of the answers', async (t) => {
  const { ask, denyLog } = await startHere(t);
  const [line] = blocksOf(page('docs/deny-event.md')).filter(({ info }) => info === 'json line');
  await appendFile(denyLog, line?.text ?? '');
  const page1 = await until(
    () => ask('/v1/denials'),
    (answer) => keysOf(answer).includes('denials.0.id'),
  );
  const status = await until(
    () => ask('/v1/status'),
    (answer) => ['points.0.lastError.code', 'sinks.0.error.code'].every((key) => keysOf(answer).includes(key)),
  );
  const [event] = blocksOf(page('docs/deny-event.md')).filter(({ info }) => info === 'json');
  const fields = Object.keys(JSON.parse(event?.text ?? '{}') as object);
  t.strictSame(keysOf(status), keysOf(example('status')), 'status');
  const sums = await ask('/v1/denials/summary?sinceMs=0');
  t.strictSame(keysOf(sums), keysOf(example('summary')), 'summary');
  t.strictSame(keysOf(await ask('/v1/edges')), keysOf(example('edges')), 'edges');
  t.strictSame(keysOf(page1), withEvent(keysOf(example('denials')), 'denials.0.', fields), 'denials');
  const why = await ask('/v1/why/a8e635f3f2df681f');
  t.strictSame(keysOf(why), withEvent(keysOf(example('why')), 'event.', fields), 'why');
  t.strictSame(keysOf(await ask('/v1/why/none')), ['error', 'error.code', 'error.mend', 'error.message'], 'a failure');
});

function example(name: string): unknown {
  return JSON.parse(blocksOf(text).find(({ info }) => info === `json ${name}`)?.text ?? 'null');
}

/** Paths of all keys. Labels are data, not format: nothing below them is listed. */
function keysOf(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [];
  if (/[lL]abels\.$/.test(path)) return [];
  return Object.entries(value)
    .flatMap(([key, child]) => [`${path}${key}`, ...keysOf(child, `${path}${key}.`)])
    .filter((key) => !/(workloads|Workloads|Networks)\.\d+$/.test(key))
    .sort();
}

function withEvent(keys: string[], prefix: string, fields: string[]): string[] {
  const named = fields.map((field) => `${prefix}${field}`);
  return [...new Set([...keys.filter((key) => key !== `${prefix}…`), ...named])].sort();
}

async function until<T>(ask: () => Promise<T>, holds: (answer: T) => boolean): Promise<T> {
  for (let attempt = 0; attempt < 600; attempt += 1) {
    const answer = await ask();
    if (holds(answer)) return answer;
    await sleep(50);
  }
  throw new Error('what was waited for did not come within 30 s');
}

interface Here {
  ask(path: string): Promise<unknown>;
  denyLog: string;
}

async function startHere(t: Test): Promise<Here> {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-docs-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const [push, api, loki] = [await freePort(), await freePort(), await freePort()];
  await mkdir(join(folder, 'policies'));
  await writeFile(join(folder, 'policies/all.yaml'), policy);
  const file = join(folder, 'edgeward.yaml');
  const points = { 'edge-1': { push: `http://127.0.0.1:${push}` } };
  const denials = { sinks: { loki: { url: `http://127.0.0.1:${loki}` } } };
  await writeFile(file, JSON.stringify({ stateDir: 'state', points, denials, api: { listen: `127.0.0.1:${api}` } }));
  const config = await loadServiceConfig({ file });
  const logger = createLogger({ level: 'silent' });
  const lifecycle = createLifecycle(logger);
  t.teardown(async () => {
    await lifecycle.shutdown('the test ends');
    lifecycle.release();
  });
  const service: Service = await startService({ config, version: '0.1.0', logger, lifecycle });
  const token = (await readFile(config.api.tokenFile, 'utf8')).trim();
  return {
    denyLog: config.points[0]?.denyLog ?? '',
    ask: async (path) => {
      const answer = await fetch(`${service.url}${path}`, { headers: { authorization: `Bearer ${token}` } });
      return answer.json();
    },
  };
}

const policy = `kind: VirtualServer
name: order-front
labels: { app: shop }
point: edge-1
bind: order-front
ports: [tcp/443]
mode: enforce
`;
