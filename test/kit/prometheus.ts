/**
 * A real Prometheus on loopback, for tests that ask what an operator would: panels, rules and alerts against what a real
 * process exposes. Data in a temporary folder; nothing of it is left after the test.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findPrometheus, type PrometheusCommands, runProgram } from '@edgeward/debian-packages';
import { freePort } from './free-port.ts';
import { startLoopbackServer } from './loopback-server.ts';

export interface PrometheusTarget {
  job: string;
  /** `127.0.0.1:9400`; its path is `/metrics`. */
  address: string;
  labels?: Record<string, string>;
}

export interface PrometheusOptions {
  targets: readonly PrometheusTarget[];
  /** Files of rules, which must be good. */
  rules?: readonly string[];
}

/** One series at one time. A scalar has no labels. */
export interface PrometheusSample {
  /** With `__name__` where the expression kept it. */
  labels: Record<string, string>;
  value: number;
}

export interface PrometheusSeries {
  labels: Record<string, string>;
  /** Unix time in seconds, and the value. */
  points: [number, number][];
}

export interface PrometheusAlert {
  name: string;
  state: 'pending' | 'firing';
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

export interface Prometheus {
  /** `http://127.0.0.1:…`, as a data source names it. */
  readonly url: string;
  readonly version: string;
  /** Rejects with what Prometheus says of an expression that it can't evaluate. */
  query(promql: string): Promise<PrometheusSample[]>;
  queryRange(promql: string, of: { startMs: number; endMs: number; stepMs: number }): Promise<PrometheusSeries[]>;
  /** Asks until `holds`, and gives what held. Rejects after 120 s, with what was there last. */
  until(promql: string, holds: (samples: PrometheusSample[]) => boolean): Promise<PrometheusSample[]>;
  /** Alerts that wait for their `for`, or fire. */
  alerts(): Promise<PrometheusAlert[]>;
  stop(): Promise<void>;
}

const untilMs = 120_000;
const askTimeoutMs = 30_000;
let found: Promise<PrometheusCommands> | null = null;

export function privatePrometheus(): Promise<PrometheusCommands> {
  found ??= findPrometheus();
  return found;
}

/**
 * The commands of `prometheus` and `promtool`. Where none can be had the whole test file is skipped with the reason, but
 * never in CI.
 */
export async function requirePrometheus(t: {
  plan(count: number, reason: string): unknown;
}): Promise<PrometheusCommands> {
  try {
    return await privatePrometheus();
  } catch (error) {
    if (process.env.CI !== undefined) throw error;
    t.plan(0, error instanceof Error ? error.message : String(error));
    process.exit(0);
  }
}

/**
 * Resolves when every target has been scraped once and said that it is up, if there are any. The first scrape comes 5 s
 * after the start, which Prometheus has no option for: one of them is enough for a test file.
 */
export async function startPrometheus(
  t: { teardown(end: () => Promise<unknown>): unknown },
  options: PrometheusOptions,
): Promise<Prometheus> {
  const commands = await privatePrometheus();
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-prometheus-'));
  const port = await freePort();
  const configFile = join(folder, 'prometheus.yml');
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true, maxRetries: 5 });
  t.teardown(remove);
  await writeFile(configFile, configuration(options));
  // It listens before it has read them, and ends only then.
  if (options.rules !== undefined) await checkRules(commands, options.rules);
  const server = await startLoopbackServer({
    name: 'prometheus',
    command: [...commands.prometheus, ...argumentsFor({ configFile, folder, port })],
    // Tests run side by side: one of them needs no more.
    env: { GOMAXPROCS: '1' },
    logFile: join(folder, 'prometheus.log'),
    port,
  });
  const stop = async (): Promise<void> => {
    await server.kill();
    await remove();
  };
  t.teardown(stop);
  const prometheus = clientOf({ port, version: commands.version, stop });
  const targets = options.targets.length;
  if (targets > 0) await prometheus.until('count(up == 1)', ([first]) => first?.value === targets);
  return prometheus;
}

async function checkRules({ promtool }: PrometheusCommands, rules: readonly string[]): Promise<void> {
  const [program = '', ...args] = promtool;
  const { code, stdout, stderr } = await runProgram(program, [...args, 'check', 'rules', ...rules], {
    timeoutMs: 60_000,
  });
  if (code !== 0) throw new Error(`Prometheus does not take its rules: ${stdout} ${stderr}`);
}

function argumentsFor({ configFile, folder, port }: { configFile: string; folder: string; port: number }): string[] {
  return [
    `--config.file=${configFile}`,
    `--storage.tsdb.path=${join(folder, 'tsdb')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--log.level=warn',
  ];
}

/** As Prometheus writes it. A scrape that takes longer fails, and what it was to bring is away until the next. */
const EVERY = '1s';

/** JSON is YAML. */
function configuration({ targets, rules = [] }: PrometheusOptions): string {
  const jobs = [...new Set(targets.map(({ job }) => job))];
  return JSON.stringify({
    global: { scrape_interval: EVERY, scrape_timeout: EVERY, evaluation_interval: EVERY },
    rule_files: rules,
    scrape_configs: jobs.map((job) => ({
      job_name: job,
      static_configs: targets
        .filter((target) => target.job === job)
        .map(({ address, labels = {} }) => ({ targets: [address], labels })),
    })),
  });
}

function clientOf(of: { port: number; version: string; stop: () => Promise<void> }): Prometheus {
  const url = `http://127.0.0.1:${of.port}`;
  const query = async (promql: string): Promise<PrometheusSample[]> => {
    const { resultType, result } = (await ask(url, 'query', { query: promql })) as Answered;
    if (resultType === 'scalar') return [{ labels: {}, value: Number(result[1]) }];
    return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  };
  return {
    url,
    version: of.version,
    query,
    async queryRange(promql, { startMs, endMs, stepMs }) {
      const range = { start: startMs / 1000, end: endMs / 1000, step: stepMs / 1000 };
      const { result } = (await ask(url, 'query_range', { query: promql, ...range })) as Ranged;
      return result.map(({ metric, values }) => ({
        labels: metric,
        points: values.map(([at, value]) => [at, Number(value)]),
      }));
    },
    async until(promql, holds) {
      const deadline = Date.now() + untilMs;
      for (;;) {
        // A server that has just opened its port answers 503 until it has read its own data.
        const samples = await query(promql).catch((error: Error) => error);
        if (!(samples instanceof Error) && holds(samples)) return samples;
        if (Date.now() > deadline) throw new Error(`${promql} does not hold: ${describe(samples)}`);
        await sleep(50);
      }
    },
    async alerts() {
      const { alerts } = (await ask(url, 'alerts', {})) as { alerts: Alerting[] };
      return alerts.map(({ state, labels: { alertname = '', ...labels }, annotations }) => ({
        name: alertname,
        state,
        labels,
        annotations,
      }));
    },
    stop: of.stop,
  };
}

type Answered =
  | { resultType: 'vector'; result: { metric: Record<string, string>; value: [number, string] }[] }
  | { resultType: 'scalar'; result: [number, string] };

interface Ranged {
  result: { metric: Record<string, string>; values: [number, string][] }[];
}

interface Alerting {
  state: 'pending' | 'firing';
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

function describe(samples: PrometheusSample[] | Error): string {
  return samples instanceof Error ? samples.message : JSON.stringify(samples.slice(0, 20));
}

async function ask(url: string, path: string, form: Record<string, string | number>): Promise<unknown> {
  const fields = Object.entries(form).map(([name, value]): [string, string] => [name, String(value)]);
  const request = fields.length === 0 ? {} : { method: 'POST', body: new URLSearchParams(fields) };
  const response = await fetch(`${url}/api/v1/${path}`, { ...request, signal: AbortSignal.timeout(askTimeoutMs) });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${path} ${form.query ?? ''}: ${response.status} ${text.slice(0, 500)}`);
  return (JSON.parse(text) as { data: unknown }).data;
}
