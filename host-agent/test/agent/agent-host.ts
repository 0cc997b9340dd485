/** A test host with a sync service beside it, and the real agent as a process on it. All of it ends with the test. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { CompiledPolicy } from '@edgeward/policy';
import { startHost, type TestHost } from '@edgeward/test/kit';
import { startable } from '../../../test/kit/program.ts';
import type { HostReport } from '../../protocol/index.ts';
import { writeIdentity } from '../../src/identity.ts';
import { type AgentStatus, type Identity, readAgentStatus } from '../../src/index.ts';
import type { Offered } from './service-process.ts';

const execute = promisify(execFile);
const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';
const SERVICE = startable('host-agent/test/agent/service-process.ts');
const AGENT = startable('cli/src/agent/main.ts');
// Not as this process was started: what watches a test is of no use to an agent, and half of what it takes to start.
const NODE = [process.execPath, '--conditions=edgeward-source'];
const OWN = mkdtempSync(join(tmpdir(), 'edgeward-compiled-'));
process.on('exit', () => rmSync(OWN, { recursive: true, force: true }));
const env = { NODE_COMPILE_CACHE: OWN, ...process.env };
const SERVICE_ADDRESS = '172.31.255.2';
const SERVICE_PORT = 7443;
export const POINT = 'host-db';

interface Teardown {
  teardown(run: () => Promise<void>): unknown;
}

export interface TestService {
  offer(policy: CompiledPolicy, how?: Offered): Promise<void>;
  identity(days?: number): Promise<Identity>;
  up(): Promise<void>;
  down(): Promise<void>;
  /** Since the last time that it was asked. */
  heard(): Promise<{ reports: HostReport[]; questions: number; issued: number }>;
}

export interface AgentHost {
  host: TestHost;
  service: TestService;
  /** Both in a folder of this test. */
  stateDir: string;
  runtimeDir: string;
  configFile: string;
  enrol(days?: number): Promise<void>;
  start(): AgentProcess;
  /** One command of the agent on the host, to its end. */
  command(...words: string[]): Promise<{ status: number; output: string; complaint: string }>;
  /** The agent's own words, until they are what is waited for. */
  until(holds: (status: AgentStatus) => boolean, what: string): Promise<AgentStatus>;
}

export interface AgentProcess {
  readonly pid: number;
  kill(signal: NodeJS.Signals): Promise<number>;
  log(): string;
}

export async function startAgentHost(t: Teardown, config = ''): Promise<AgentHost> {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-agent-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const host = await startHost(t);
  const peer = host.where.map((word) => word.replace(/-host$/, '-peer'));
  const namespace = peer.at(-1) ?? '';
  await execute('ip', ['-n', namespace, 'addr', 'add', `${SERVICE_ADDRESS}/32`, 'dev', 'wire0'], { env: { PATH } });
  const service = await startService(t, peer, join(folder, 'service'));
  const [stateDir, runtimeDir, configFile] = [join(folder, 'state'), join(folder, 'run'), join(folder, 'agent.yaml')];
  await writeFile(configFile, `stateDir: ${stateDir}\nruntimeDir: ${runtimeDir}\nlogLevel: debug\n${config}`);
  await execute('mkdir', ['-p', stateDir]);
  const words = [...NODE, AGENT, 'agent'];
  return {
    ...{ host, service, stateDir, runtimeDir, configFile },
    enrol: async (days) => writeIdentity(stateDir, await service.identity(days)),
    start: () => startAgentProcess(t, [...host.where, ...words, 'run', '--config', configFile]),
    command: (...more) => runCommand([...host.where, ...words, ...more, '--config', configFile]),
    until: (holds, what) => untilStatus(runtimeDir, holds, what),
  };
}

async function runCommand([program = '', ...args]: string[]): Promise<{
  status: number;
  output: string;
  complaint: string;
}> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  let [output, complaint] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    output += piece;
  });
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    complaint += piece;
  });
  return new Promise((resolve) => child.on('close', (status) => resolve({ status: status ?? 128, output, complaint })));
}

const WAIT_MS = 60_000;
const LOOK_MS = 50;

async function untilStatus(dir: string, holds: (status: AgentStatus) => boolean, what: string): Promise<AgentStatus> {
  let last: AgentStatus | null = null;
  for (let tries = 0; tries < WAIT_MS / LOOK_MS; tries += 1) {
    last = await readAgentStatus(dir).catch(() => null);
    if (last !== null && holds(last)) return last;
    await sleep(LOOK_MS);
  }
  throw new Error(`waited for: ${what}; the agent says ${JSON.stringify(last)}`);
}

function startAgentProcess(t: Teardown, [program = '', ...args]: string[]): AgentProcess {
  // `ip netns exec` becomes the program that it runs: the process is the agent itself.
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env });
  let log = '';
  child.stderr?.setEncoding('utf8').on('data', (piece: string) => {
    log = (log + piece).slice(-200_000);
  });
  const ended = new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? 128)));
  const kill = (signal: NodeJS.Signals): Promise<number> => {
    child.kill(signal);
    return ended;
  };
  t.teardown(async () => void (await kill('SIGKILL')));
  return { pid: child.pid ?? 0, kill, log: () => log };
}

async function startService(t: Teardown, peer: readonly string[], folder: string): Promise<TestService> {
  await execute('mkdir', ['-p', folder]);
  const [program = '', ...args] = [...peer, ...NODE, SERVICE];
  const child = spawn(program, [...args, folder, SERVICE_ADDRESS, String(SERVICE_PORT), POINT], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env,
  });
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const ask = await conversationWith(child);
  return {
    offer: async (policy, how = 'signed') => void (await ask({ do: 'offer', policy, how })),
    identity: async (days = 30) => (await ask({ do: 'identity', days })) as Identity,
    up: async () => void (await ask({ do: 'up' })),
    down: async () => void (await ask({ do: 'down' })),
    heard: async () => (await ask({ do: 'heard' })) as { reports: HostReport[]; questions: number; issued: number },
  };
}

type Ask = (question: object) => Promise<unknown>;

async function conversationWith(child: ChildProcess): Promise<Ask> {
  const waiting = new Map<number, { resolve(answer: unknown): void; reject(error: Error): void }>();
  let asked = 0;
  if (child.stdout === null) throw new Error('a service without a voice');
  const lines = createInterface({ input: child.stdout });
  await new Promise<void>((resolve, reject) => {
    child.once('close', () => reject(new Error('the test service ended')));
    lines.on('line', (line) => {
      const said = JSON.parse(line) as { ready?: true; id?: number; answer?: unknown; error?: string };
      if (said.ready === true) return resolve();
      const question = waiting.get(said.id ?? 0);
      if (said.error === undefined) question?.resolve(said.answer);
      else question?.reject(new Error(said.error));
    });
  });
  return (question) =>
    new Promise((resolve, reject) => {
      asked += 1;
      waiting.set(asked, { resolve, reject });
      child.stdin?.write(`${JSON.stringify({ ...question, id: asked })}\n`);
    });
}

/** Of the agent's state file, past the agent. */
export async function readState(stateDir: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(stateDir, 'state.json'), 'utf8')) as Record<string, unknown>;
}
