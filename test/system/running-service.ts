/**
 * A sync service for a test: its own folders, its own port, one point for each NGINX that is given. It is started and
 * stopped as `edgeward serve` does, in this process, and asked through its API as the other commands do.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DenyEvent } from '@edgeward/audit-collector';
import { createLifecycle, createLogger } from '@edgeward/runtime';
import { loadServiceConfig, type Service, type ServiceStatus, startService } from '@edgeward/sync-service';
import type { Edge, Teardown } from '@edgeward/test/kit';

export interface ServicePlace {
  folder: string;
  policies: string;
  stateDir: string;
  configFile: string;
}

export interface PlaceOptions {
  /** By the point's name. */
  edges: Record<string, Edge>;
  /** Policy files by name. */
  files: Record<string, string>;
  /** Default 0: any free port. */
  port?: number;
  /** Default: a folder of this place. */
  stateDir?: string;
}

export interface RunningService {
  url: string;
  place: ServicePlace;
  service: Service;
  status(): Promise<ServiceStatus>;
  get(path: string, token?: string | null): Promise<ApiAnswer>;
  /** `/v1/denials` with this query. */
  denials(query?: string): Promise<DenialsPage>;
  post(path: string, body: unknown): Promise<ApiAnswer>;
  metrics(): Promise<Sample[]>;
  write(file: string, text: string): Promise<void>;
  remove(file: string): Promise<void>;
  stop(): Promise<void>;
}

export interface DenialsPage {
  denials: (DenyEvent & { id: number })[];
  after: number;
}

export interface ApiAnswer {
  status: number;
  text: string;
  json: unknown;
}

export async function preparePlace(t: Teardown, options: PlaceOptions): Promise<ServicePlace> {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-service-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const policies = join(folder, 'policies');
  const stateDir = options.stateDir ?? join(folder, 'state');
  await mkdir(policies);
  for (const [name, text] of Object.entries(options.files)) await writeFile(join(policies, name), text);
  const points = Object.entries(options.edges).map(([name, { pushUrl, paths }]) => [
    name,
    { push: pushUrl, tokenFile: paths.tokenFile, denyLog: paths.denyLog, lastKnownFile: paths.lastKnownFile },
  ]);
  const listen = `127.0.0.1:${options.port ?? 0}`;
  const config = { policies: 'policies', stateDir, points: Object.fromEntries(points), api: { listen } };
  const configFile = join(folder, 'edgeward.yaml');
  await writeFile(configFile, JSON.stringify(config));
  return { folder, policies, stateDir, configFile };
}

/** Throws what `startService` throws, with everything closed again. */
export async function startAt(t: Teardown, place: ServicePlace): Promise<RunningService> {
  const config = await loadServiceConfig({ file: place.configFile });
  const logger = createLogger({ level: 'silent' });
  const lifecycle = createLifecycle(logger);
  // The test's process has handlers of its own.
  lifecycle.release();
  const stop = async (): Promise<void> => {
    const { unclosed } = await lifecycle.shutdown('test');
    if (unclosed.length > 0) throw new Error(`not closed in time: ${unclosed.join(', ')}`);
  };
  t.teardown(stop);
  const service = await startService({ config, version: '0.0.0', logger, lifecycle }).catch(async (thrown: unknown) => {
    await stop();
    throw thrown;
  });
  return runningOf(place, service, (await readFile(config.api.tokenFile, 'utf8')).trim(), stop);
}

export async function startIn(t: Teardown, options: PlaceOptions): Promise<RunningService> {
  return startAt(t, await preparePlace(t, options));
}

function runningOf(place: ServicePlace, service: Service, ownToken: string, stop: () => Promise<void>): RunningService {
  const call = async (path: string, init: RequestInit): Promise<ApiAnswer> => {
    const response = await fetch(`${service.url}${path}`, init);
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
    return { status: response.status, text, json: isJson ? JSON.parse(text) : null };
  };
  const bearer = (token: string | null): Record<string, string> =>
    token === null ? {} : { authorization: `Bearer ${token}` };
  const get = (path: string, token: string | null = ownToken): Promise<ApiAnswer> =>
    call(path, { headers: bearer(token) });
  return {
    url: service.url,
    place,
    service,
    get,
    stop,
    denials: async (query = '') => (await get(`/v1/denials?${query}`)).json as DenialsPage,
    status: async () => (await get('/v1/status')).json as ServiceStatus,
    post: (path, body) => call(path, { method: 'POST', headers: bearer(ownToken), body: JSON.stringify(body) }),
    metrics: async () => samplesIn((await get('/metrics', null)).text),
    write: (file, text) => writeFile(join(place.policies, file), text),
    remove: (file) => rm(join(place.policies, file)),
  };
}

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** The text format of Prometheus; a line that is neither a comment nor a sample throws. */
export function samplesIn(text: string): Sample[] {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (match === null) throw new Error(`no sample: ${line}`);
    const pairs = [...(match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, value]) => [key, value]);
    return { name: match[1] ?? '', labels: Object.fromEntries(pairs), value: Number(match[3]) };
  });
}

/** The sum over all samples of this name that carry these labels; null where there is none. */
export function sumOf(samples: Sample[], name: string, labels: Record<string, string> = {}): number | null {
  const fitting = samples.filter(
    (sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  );
  return fitting.length === 0 ? null : fitting.reduce((sum, { value }) => sum + value, 0);
}
