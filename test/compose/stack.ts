/** The services of docker-compose.yml, up on this machine's Docker: as they stand there, but for what can't be pulled. */
import { chmod, cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '@edgeward/test/kit';
import { DockerComposeEnvironment } from 'testcontainers';
import { docker, root } from './docker-here.ts';
import { buildOwn, standInPostgres, standInPrometheus } from './images.ts';

const FILES = ['docker-compose.yml', 'test/compose/stand-ins/compose.yml'];
/** All but Loki and Grafana. What these depend on comes with them. */
const SERVICES = ['certificates', 'forwarder', 'grants', 'prometheus', 'crm-1', 'crm-dev-1', 'ops-1'];
const PATIENCE_MS = 120_000;

export interface Stack {
  /** A copy: what people propose, with the inventory in it. */
  policies: string;
  /** From this machine, through the published port. */
  ask(host: string, path: string): Promise<{ status: number; ref: string | null }>;
  /** A command in the container of a service. What it said, both streams; throws where it fails. */
  exec(service: string, ...command: string[]): Promise<string>;
  compose(...words: string[]): Promise<string>;
  /** `docker compose run --rm PERSON …`, as JSON; what the command says of an error where it fails. */
  as<Answer>(person: string, ...words: string[]): Promise<Answer>;
  /** PromQL; labels and values. */
  prometheus(query: string): Promise<{ metric: Record<string, string>; value: [number, string] }[]>;
  /** As who Grafana asks. */
  sql(query: string): Promise<string>;
  project: string;
}

export interface Teardown {
  teardown(run: () => Promise<void>): unknown;
}

/** Nothing of it is left after the teardown, or where it does not come up. */
export async function startStack(t: Teardown): Promise<Stack> {
  const undo: (() => Promise<unknown>)[] = [];
  const clean = async (): Promise<void> => {
    for (const it of undo.splice(0).reverse()) await it();
  };
  t.teardown(clean);
  try {
    return await comeUp(undo);
  } catch (thrown) {
    await clean();
    throw thrown;
  }
}

async function comeUp(undo: (() => Promise<unknown>)[]): Promise<Stack> {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-compose-'));
  undo.push(() => rm(folder, { recursive: true, force: true }));
  // Read by a user of the container.
  await chmod(folder, 0o755);
  const policies = join(folder, 'policies');
  await cp(join(root, 'docker/policies'), policies, { recursive: true });
  const [postgres] = await Promise.all([standInPostgres(), buildOwn('edgeward', 'nginx')]);
  const [port, metricsPort] = [await freePort(), await freePort()];
  const project = `edgeward-test-${process.pid}`;
  const environment = {
    HTTP_PORT: String(port),
    PROMETHEUS_PORT: String(metricsPort),
    POLICIES: policies,
    STAND_IN_POSTGRES: postgres,
    ...(await standInPrometheus()),
  };
  // Its own cleaner is an image that can't be pulled; and published ports are on this machine, also where that is a container.
  const testcontainers = { TESTCONTAINERS_RYUK_DISABLED: 'true', TESTCONTAINERS_HOST_OVERRIDE: '127.0.0.1' };
  Object.assign(process.env, environment, testcontainers, { DOCKER_BUILDKIT: '0' });
  const compose = (...words: string[]): Promise<string> =>
    docker(['compose', '--project-name', project, ...FILES.flatMap((file) => ['--file', file]), ...words], PATIENCE_MS);
  undo.push(() => compose('--profile', '*', 'down', '--volumes', '--timeout', '2'));
  await new DockerComposeEnvironment(root, FILES)
    .withProjectName(project)
    .withEnvironment(environment)
    .withClientOptions({ commandOptions: ['--no-build'] })
    .withStartupTimeout(PATIENCE_MS)
    .up(SERVICES);
  // Not by Compose, which reads its files for each command.
  const exec: Stack['exec'] = (service, ...command) =>
    docker(['exec', `${project}-${service}-1`, ...command], PATIENCE_MS);
  return {
    policies,
    project,
    compose,
    exec,
    async as(person, ...words) {
      const said = await compose('run', '--rm', '--no-TTY', person, ...words, '--json').catch((thrown: unknown) => {
        const { stdout = '', stderr = '' } = thrown as { stdout?: string; stderr?: string };
        throw new Error(`${stdout}${stderr}`, { cause: thrown });
      });
      return JSON.parse(said);
    },
    async ask(host, path) {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { host, connection: 'close' } });
      await response.arrayBuffer();
      return { status: response.status, ref: response.headers.get('edgeward-ref') };
    },
    async prometheus(query) {
      const response = await fetch(`http://127.0.0.1:${metricsPort}/api/v1/query?${new URLSearchParams({ query })}`);
      const { data } = (await response.json()) as { data: { result: [] } };
      return data.result;
    },
    sql: async (query) => (await exec('postgres', ...asReader(query))).trim(),
  };
}

function asReader(query: string): string[] {
  const place = 'host=localhost dbname=edgeward user=edgeward_reader sslmode=require';
  const ask = `PGPASSWORD=$(cat /run/edgeward/postgres/reader-password) exec psql "${place}" -qAt -c "$0"`;
  return ['sh', '-c', ask, query];
}

/** Asks until the answer is not empty. */
export async function eventually(ask: () => Promise<string>): Promise<string> {
  for (const started = Date.now(); Date.now() - started < PATIENCE_MS; await pause(500)) {
    const answer = await ask();
    if (answer !== '') return answer;
  }
  throw new Error(`no answer within ${PATIENCE_MS / 1000} s`);
}
