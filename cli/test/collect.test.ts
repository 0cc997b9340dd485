/** `edgeward collect` as a process of its own, with a service that relays to it and a Loki behind it. */
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, type LokiStandIn, startLokiStandIn, testCertificates } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { blocksOf, page } from '../../test/docs/markdown.ts';
import { eventually, serve } from './fixtures/real-service.ts';
import { documentsIn, examplePolicies, run, start } from './fixtures/run.ts';

interface Stage {
  folder: string;
  config: string;
  loki: LokiStandIn;
  /** What leads a command to the collector. */
  place: string[];
  api: string;
  collect(): Promise<{ kill(signal: 'SIGTERM' | 'SIGKILL'): Promise<{ code: number; signal: string | null }> }>;
  /** A service with the points `edge-1`; `deny` writes into its log. */
  service(): Promise<{ deny(refs: readonly string[]): void }>;
  status(): Promise<unknown>;
  /** References at the collector, oldest first. */
  refs(): Promise<unknown[]>;
}

const yaml = JSON.stringify; // which is YAML too

/** EDGEWARD_SEED repeats it. */
function seeded(t: Test): () => number {
  let state = Number(process.env.EDGEWARD_SEED) || 1 + Math.floor(Math.random() * 0x7ffffffe);
  t.comment(`EDGEWARD_SEED=${state}`);
  return () => {
    state = (state * 48_271) % 0x7fffffff;
    return state / 0x7fffffff;
  };
}

async function stageOf(t: Test): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'edgeward-collect-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const loki = await startLokiStandIn();
  t.teardown(() => loki.close());
  const certificates = await testCertificates(join(folder, 'tls'));
  const [server, own] = [await certificates.server(), await certificates.point('service-fra')];
  const [listen, apiPort, ownApi, away] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const config = join(folder, 'edgeward-collector.yaml');
  const api = `http://127.0.0.1:${apiPort}`;
  writeFileSync(
    config,
    yaml({
      stateDir: 'central',
      listen: `127.0.0.1:${listen}`,
      tls: { certFile: server.certFile, keyFile: server.keyFile, clientCaFile: certificates.caFile },
      senders: { 'service-fra': { points: ['edge-1'] }, 'service-ams': { points: 'all' } },
      api: { listen: `127.0.0.1:${apiPort}` },
      denials: { sinks: { loki: { url: loki.url } } },
    }),
  );
  const place = ['--url', api, '--token-file', join(folder, 'central/api-token')];
  return {
    ...{ folder, config, loki, place, api },
    async collect() {
      const { child, ended } = start(t, ['collect', '--config', config]);
      await eventually(async () => (await fetch(`${api}/readyz`).catch(() => null))?.status === 200);
      return {
        async kill(signal) {
          child.kill(signal);
          return await ended;
        },
      };
    },
    async service() {
      const [file, log] = [join(folder, 'edgeward.yaml'), join(folder, 'deny.log')];
      cpSync(examplePolicies, join(folder, 'policies'), { recursive: true });
      writeFileSync(log, '');
      const { caFile, certFile, keyFile } = own;
      const collector = { url: `https://127.0.0.1:${listen}`, caFile, certFile, keyFile };
      writeFileSync(
        file,
        yaml({
          stateDir: 'state',
          points: { 'edge-1': { push: `http://127.0.0.1:${away}`, denyLog: 'deny.log' } },
          api: { listen: `127.0.0.1:${ownApi}` },
          denials: { sinks: { collector } },
        }),
      );
      const stop = await serve(t, file);
      t.teardown(stop);
      return {
        deny: (refs) => appendFileSync(log, refs.map((ref) => `${JSON.stringify({ ...record, ref })}\n`).join('')),
      };
    },
    async status() {
      const token = readFileSync(join(folder, 'central/api-token'), 'utf8').trim();
      return (await fetch(`${api}/v1/collector`, { headers: { authorization: `Bearer ${token}` } })).json();
    },
    async refs() {
      const said = await run(['denials', '--since', '1h', '--json', ...place]);
      if (said.code !== 0) throw new Error(said.err);
      return documentsIn(said.out).map((event) => (event as { ref: string }).ref);
    },
  };
}

const record = {
  v: 1,
  t: Date.now(),
  object: 'order-front',
  source: '127.0.10.5',
  peer: '127.0.10.5',
  peerPort: 40_000,
  port: 'tcp/80',
  method: 'GET',
  path: '/v1/orders/7',
  truncated: false,
  host: 'shop.example',
  verdict: 'deny',
  reason: 'unknown-source',
  rule: null,
  revision: 1,
};

const each = 400;
const numbered = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `r${from + i}`);

/** Paths of all keys. */
function keysOf(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => [`${path}${key}`, ...keysOf(child, `${path}${key}.`)]);
}

t.test('a denial at a service is at the collector with its labels, and in the Loki behind that', async (t) => {
  const stage = await stageOf(t);
  let collector = await stage.collect();
  const service = await stage.service();
  service.deny(['first']);
  await eventually(async () => (await stage.refs()).includes('first'));
  const said = await run(['denials', '--label', 'source.env=dev', ...stage.place]);
  t.match(said, { code: 0, err: '' });
  t.match(said.out, / edge-1 .*127\.0\.10\.5.*order-front.*unknown-source/);
  const why = await run(['why', 'first', ...stage.place]);
  t.match(why, { code: 0, out: /needs env == 'prod', has 'dev'/ });
  await eventually(async () => stage.loki.lines().length === 1);
  t.match(stage.loki.lines()[0], { labels: { job: 'edgeward', point: 'edge-1' }, line: /"ref":"first"/ });
  const metrics = await (await fetch(`${stage.api}/metrics`)).text();
  t.match(metrics, /edgeward_build_info\{version="[^"]+"\} 1/);
  t.match(metrics, /edgeward_sink_sent_total\{sink="loki"\} 1/);
  const status = await stage.status();
  t.match(status, {
    ledgerError: null,
    senders: [
      { name: 'service-fra', points: ['edge-1'], heard: { last: 1, waiting: { records: 0 } }, error: null },
      { name: 'service-ams', points: 'all', heard: null, error: null },
    ],
    sinks: [{ name: 'loki', sent: 1, rejected: 0, lost: 0, error: null }],
  });
  const [shown] = blocksOf(page('docs/collector.md')).filter(({ info }) => info === 'json');
  t.strictSame(keysOf(JSON.parse(shown?.text ?? '{}')), keysOf(status), 'as the page shows it');
  t.equal((await fetch(`${stage.api}/livez`)).status, 200);
  t.equal((await fetch(`${stage.api}/v1/denials`)).status, 401, 'nothing without the token');
  const second = start(t, ['collect', '--config', stage.config]);
  t.match(await second.ended, { code: 75, err: /EDW_ERR_STATE_IN_USE/ }, 'one collector to a folder');

  const random = seeded(t);
  const rounds = Math.max(1, Math.ceil(Number(process.env.EDGEWARD_RUNS ?? 1)));
  for (let round = 0; round < rounds; round += 1) {
    service.deny(numbered(round * each, (round + 1) * each));
    const some = Math.floor(random() * each);
    await eventually(async () => stage.loki.lines().length > round * each + some);
    t.match(await collector.kill('SIGKILL'), { signal: 'SIGKILL' }, `round ${round}, killed after ${some}`);
    collector = await stage.collect();
  }
  const all = ['first', ...numbered(0, rounds * each)];
  await eventually(async () => (await stage.refs()).length >= all.length);
  t.strictSame(await stage.refs(), all, 'each of them once, in the ledger');
  await eventually(async () => stage.loki.lines().length >= all.length);
  const lines = stage.loki.lines().map(({ line }) => (JSON.parse(line) as { ref: string }).ref);
  t.strictSame(lines, all, 'and in Loki');
  t.match(await collector.kill('SIGTERM'), { code: 0 });
});

t.test('a collector whose database is away is alive and not ready', async (t) => {
  const stage = await stageOf(t);
  const passwordFile = join(stage.folder, 'password');
  writeFileSync(passwordFile, 'secret\n', { mode: 0o600 });
  const postgres = { host: '127.0.0.1', port: await freePort(), database: 'edgeward', user: 'edgeward', passwordFile };
  const config = JSON.parse(readFileSync(stage.config, 'utf8')) as object;
  writeFileSync(stage.config, yaml({ ...config, denials: { postgres } }));
  start(t, ['collect', '--config', stage.config]);
  const asked = async (path: string) => fetch(`${stage.api}${path}`).catch(() => null);
  await eventually(async () => (await asked('/livez'))?.status === 200);
  const ready = await asked('/readyz');
  t.equal(ready?.status, 503);
  t.match(await ready?.text(), /ledger/);
  await eventually(async () => /ECONNREFUSED/.test((await (await asked('/readyz'))?.text()) ?? ''));
});

t.test('a configuration that is wrong is refused, with everything that is', async (t) => {
  const folder = t.testdir({
    'none.yaml': '',
    'wrong.yaml': `
listen: nowhere
tls: { certFile: a, keyFile: b }
senders: {}
api: { listen: "0.0.0.0:9402" }
denials: { sinks: { loki: { url: "https://loki.example:3100", labels: { job: x } } } }
colour: red
`,
  });
  const none = await run(['collect', '--config', join(folder, 'none.yaml')]);
  t.match(none, { code: 78, err: /EDW_ERR_CONFIG/ });
  for (const part of [/tls/, /senders/]) t.match(none.err, part);
  const wrong = await run(['collect', '--config', join(folder, 'wrong.yaml')]);
  t.equal(wrong.code, 78);
  for (const part of [/listen/, /clientCaFile/, /senders/, /api\.listen/, /labels\.job.*no name of a label/, /colour/])
    t.match(wrong.err, part);
  t.match(await run(['collect', '--config', join(folder, 'gone.yaml')]), { code: 78, err: /EDW_ERR_CONFIG_FILE/ });
});
