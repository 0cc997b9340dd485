/**
 * A host with an agent, and a sync service that it can reach, each in a network namespace and each a real process that can
 * be killed: `edgeward serve` beside whoever calls the host, `edgeward agent run` on the host. Whatever a person does here
 * is done by the commands that a person has.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { DenyEvent } from '@edgeward/audit-collector';
import { type AgentStatus, readAgentStatus } from '@edgeward/host-agent/agent';
import type { PointReport, ServiceStatus } from '@edgeward/sync-service';
import { HOST_ADDRESSES, startHost, type TestHost } from '@edgeward/test/kit';
import type { Test } from 'tap';
import { edgewardProgram } from '../kit/program.ts';
import { eventually } from './waiting.ts';

export const POINT = 'host-1';
/** Where the service is reached. No policy names it. */
export const SERVICE_ADDRESS = '172.31.255.2';
const CALL_MS = 60_000;
/** Asks the service where it listens: on the loopback of its namespace. A question a line, an answer a line; null is none. */
const ASK = `for await (const line of require('node:readline').createInterface({ input: process.stdin })) {
  const { path, token } = JSON.parse(line);
  const headers = { authorization: 'Bearer ' + token };
  const answer = await fetch('http://127.0.0.1:9400' + path, { headers }).catch(() => null);
  console.log(answer?.ok ? JSON.stringify(await answer.text()) : 'null');
}`;

export interface Said {
  code: number | null;
  out: string;
  err: string;
}

/** A process that is to go on until it is ended. */
export interface Daemon {
  start(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGTERM. Its exit code. */
  stop(): Promise<number | null>;
}

export interface HostSiteOptions {
  /** What else stands in the service's configuration; its paths begin in the folder of the site. */
  service?: object;
  /** What else stands in the agent's configuration, by the folder of the site. */
  agent?: (folder: string) => object;
  /** The service runs on the host itself, and not beside whoever calls. */
  onHost?: boolean;
}

export interface HostSite {
  /** Of everything here; gone with the test. `policies` in it is the service's directory. */
  folder: string;
  host: TestHost;
  service: Daemon;
  agent: Daemon;
  /** Each document on a line; whole or not at all. */
  policy(documents: readonly object[]): Promise<void>;
  atService(args: readonly string[], stdin?: string): Promise<Said>;
  /** `words` stand before the command, which they end with. */
  onHost(args: readonly string[], stdin?: string, words?: readonly string[]): Promise<Said>;
  /** The agent, run by these words; one at a time. */
  agentBy(...words: string[]): Daemon;
  /** Where the service is, with no configuration but what is named. */
  beside(args: readonly string[]): Promise<Said>;
  /** Another process there, until it is ended or the test is over. It `answers` when that does not throw. */
  daemonBeside(args: readonly string[], answers: () => Promise<void>): Daemon;
  /** What the service says of the host. */
  status(): Promise<PointReport>;
  serviceStatus(): Promise<ServiceStatus>;
  /** Of the service; `name` with its labels, as it is exported. */
  metric(name: string): Promise<number>;
  /** All events of the host that it has. */
  denials(): Promise<DenyEvent[]>;
  agentStatus(): Promise<AgentStatus>;
}

export async function startHostSite(t: Test, options: HostSiteOptions = {}): Promise<HostSite> {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-host-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const host = await startHost(t);
  const beside = options.onHost ? host.where : host.where.map((word) => word.replace(/-host$/, '-peer'));
  await run([...beside, 'ip', 'addr', 'add', `${SERVICE_ADDRESS}/32`, 'dev', 'wire0']);
  const [serviceFile, agentFile] = await writeConfigurations(folder, options);
  // Whatever becomes of the test, nothing of it goes on.
  const edgeward = [
    'env',
    // What one process has compiled the next one need not.
    `NODE_COMPILE_CACHE=${process.env.NODE_COMPILE_CACHE ?? join(folder, 'compiled')}`,
    'setpriv',
    '--pdeathsig',
    'KILL',
    process.execPath,
    '--no-warnings',
    ...edgewardProgram,
  ];
  const atService: HostSite['atService'] = (args, stdin) =>
    run([...beside, ...edgeward, ...args, '--config', serviceFile], stdin);
  const onHost: HostSite['onHost'] = (args, stdin, words = []) =>
    run([...host.where, ...words, ...edgeward, ...args, '--config', agentFile], stdin);
  const agentBy = (...words: string[]): Daemon =>
    daemon(t, [...host.where, ...words, ...edgeward, 'agent', 'run', '--config', agentFile], async () => {
      await site.agentStatus();
    });
  const asked = asker(t, [...beside, process.execPath, '-e', `(async () => { ${ASK} })()`]);
  const text = async (path: string): Promise<string> => {
    const token = (await readFile(join(folder, 'state', 'api-token'), 'utf8')).trim();
    const answer = await asked({ path, token });
    if (answer === null) throw new Error('the service does not answer');
    return String(answer);
  };
  const ask = async (path: string): Promise<unknown> => JSON.parse(await text(path));
  const site: HostSite = {
    folder,
    host,
    service: daemon(t, [...beside, ...edgeward, 'serve', '--config', serviceFile], async () => {
      await ask('/v1/status');
    }),
    agent: agentBy(),
    agentBy,
    async policy(documents) {
      const [file, next] = [join(folder, 'policies', 'all.ndjson'), join(folder, 'next')];
      await writeFile(next, documents.map((document) => `${JSON.stringify(document)}\n`).join(''));
      await rename(next, file);
    },
    atService,
    onHost,
    beside: (args) => run([...beside, ...edgeward, ...args]),
    daemonBeside: (args, answers) => daemon(t, [...beside, ...edgeward, ...args], answers),
    async status() {
      const found = (await site.serviceStatus()).points.find(({ point }) => point === POINT);
      if (found === undefined) throw new Error(`the service has no point ${POINT}`);
      return found;
    },
    serviceStatus: async () => (await ask('/v1/status')) as ServiceStatus,
    async metric(name) {
      const line = (await text('/metrics')).split('\n').find((it) => it.startsWith(`${name} `));
      if (line === undefined) throw new Error(`the service has no metric ${name}`);
      return Number(line.slice(name.length));
    },
    async denials() {
      const page = (await ask(`/v1/denials?sinceMs=0&limit=10000&point=${POINT}`)) as { denials: DenyEvent[] };
      return page.denials;
    },
    async agentStatus() {
      const status = await readAgentStatus(join(folder, 'run'));
      if (status === null) throw new Error('the agent is not running');
      return status;
    },
  };
  t.teardown(() => endAll([host.where, beside]));
  return site;
}

async function writeConfigurations(
  folder: string,
  { service: more = {}, agent: its = () => ({}) }: HostSiteOptions,
): Promise<[service: string, agent: string]> {
  const [service, agent] = [join(folder, 'edgeward.yaml'), join(folder, 'agent.yaml')];
  const hosts = {
    listen: `${SERVICE_ADDRESS}:7443`,
    enrolListen: `${SERVICE_ADDRESS}:7444`,
    names: [SERVICE_ADDRESS],
    points: { [POINT]: {} },
  };
  await mkdir(join(folder, 'policies'));
  await mkdir(join(folder, 'run'));
  await writeFile(service, JSON.stringify({ stateDir: 'state', hosts, ...more }));
  await writeFile(
    agent,
    JSON.stringify({
      stateDir: join(folder, 'agent'),
      runtimeDir: join(folder, 'run'),
      backend: 'nft',
      ...its(folder),
    }),
  );
  return [service, agent];
}

function daemon(t: Test, command: readonly string[], answers: () => Promise<void>): Daemon {
  let child: ChildProcess | null = null;
  let said = '';
  const isOver = (): boolean => child === null || child.exitCode !== null || child.signalCode !== null;
  async function end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const ending = child;
    if (ending === null || isOver()) return ending?.exitCode ?? null;
    const over = once(ending, 'exit', { signal: AbortSignal.timeout(CALL_MS) });
    ending.kill(signal);
    await over;
    return ending.exitCode;
  }
  t.teardown(async () => {
    await end('SIGTERM').catch(() => {});
    await end('SIGKILL');
    if (!t.passing()) t.comment(said);
  });
  return {
    async start() {
      const [program = '', ...args] = command;
      child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env: environment() });
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        said = (said + text).slice(-8000);
      });
      await eventually(`${args.at(-3)} answers`, async () => {
        if (isOver()) throw new Error(`it ended by itself: ${said}`);
        await answers();
        return true;
      });
    },
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
  };
}

/** One process for all questions, each with its answer before the next. */
function asker(t: Test, [program = '', ...args]: readonly string[]): (question: object) => Promise<unknown> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], env: environment() });
  t.teardown(() => child.kill('SIGKILL'));
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let before: Promise<unknown> = Promise.resolve();
  return (question) => {
    const answer = before.then(async () => {
      child.stdin.write(`${JSON.stringify(question)}\n`);
      return JSON.parse((await answers.next()).value ?? 'null') as unknown;
    });
    before = answer.catch(() => {});
    return answer;
  };
}

async function run(command: readonly string[], stdin = ''): Promise<Said> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { env: environment(), timeout: CALL_MS, killSignal: 'SIGKILL' });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  child.stdin.on('error', () => {}).end(stdin);
  await once(child, 'close');
  return { code: child.exitCode, out, err };
}

const environment = (): NodeJS.ProcessEnv => ({ PATH: '/usr/sbin:/usr/bin:/sbin:/bin' });

/** Also what a killed process left: whatever runs in the namespaces of this test is of this test. */
async function endAll(namespaces: readonly (readonly string[])[]): Promise<void> {
  for (const where of namespaces) {
    const { out } = await run(['ip', 'netns', 'pids', where.at(-1) ?? '']);
    for (const pid of out.split('\n').map(Number)) if (pid > 0) killQuietly(pid);
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

export const hostAddress: string = HOST_ADDRESSES.inet;
