/**
 * Two processes of one test host: one in the peer's namespace that calls, one on the host that answers on whatever port it is
 * told to. They speak lines of JSON over their standard streams and end with them.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { childEnvironment } from './child-environment.ts';

/** A flow to be tried: `port` is `tcp/443`. */
export interface ProbeFlow {
  from: string;
  to: string;
  port: string;
}

/** `open` and `refused` passed the packet filter; nothing came back for what is `silent`. */
export type ProbeOutcome = 'open' | 'refused' | 'silent';

export interface HostProbe {
  call(flows: readonly ProbeFlow[]): Promise<ProbeOutcome[]>;
  /** An echo on the host, on both families. */
  listen(port: string): Promise<void>;
  /** A TCP connection that stays. Its number. */
  connect(flow: ProbeFlow): Promise<number>;
  /** Whether what is sent over a connection comes back. */
  echo(connection: number): Promise<boolean>;
  /** By a reset: what was not delivered is sent no more. */
  hangUp(connection: number): Promise<void>;
  close(): Promise<void>;
}

const SCRIPT = fileURLToPath(new URL('hosts-process.ts', import.meta.url));

export function startHostProbe(peer: readonly string[], host: readonly string[]): HostProbe {
  const [caller, answerer] = [startProcess(peer), startProcess(host)];
  return {
    call: async (flows) => (await caller.ask({ do: 'call', flows })) as ProbeOutcome[],
    listen: async (port) => void (await answerer.ask({ do: 'listen', port })),
    connect: async (flow) => (await caller.ask({ do: 'connect', flow })) as number,
    echo: async (connection) => (await caller.ask({ do: 'echo', connection })) as boolean,
    hangUp: async (connection) => void (await caller.ask({ do: 'hang-up', connection })),
    close: async () => {
      await Promise.all([caller.close(), answerer.close()]);
    },
  };
}

interface Conversation {
  ask(question: object): Promise<unknown>;
  close(): Promise<void>;
}

function startProcess(where: readonly string[]): Conversation {
  const [program = '', ...args] = [...where, process.execPath, SCRIPT];
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: childEnvironment({ PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }),
  });
  const waiting = new Map<number, { resolve(answer: unknown): void; reject(error: Error): void }>();
  let asked = 0;
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { id, answer, error } = JSON.parse(line) as { id: number; answer?: unknown; error?: string };
    const question = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) question?.resolve(answer);
    else question?.reject(new Error(error));
  });
  const ended = new Promise<void>((resolve) => {
    child.on('close', () => {
      for (const question of waiting.values()) question.reject(new Error('a probe of a test host ended'));
      waiting.clear();
      resolve();
    });
  });
  child.on('error', () => {});
  child.stdin.on('error', () => {});
  return {
    ask: (question) =>
      new Promise((resolve, reject) => {
        asked += 1;
        waiting.set(asked, { resolve, reject });
        child.stdin.write(`${JSON.stringify({ ...question, id: asked })}\n`);
      }),
    close: () => end(child, ended),
  };
}

function end(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.stdin?.end();
  child.kill('SIGKILL');
  return ended;
}
