/**
 * Runs one of the host's own programs: fixed arguments, no shell, an environment of two variables, data on standard input,
 * and bounds on time and output. What a program answers is left to whoever asked; only that it answers at all is seen to
 * here. Throws EDW_ERR_POINT_UNREACHABLE where it doesn't.
 */
import { spawn } from 'node:child_process';
import { Readable } from 'node:stream';
import { EdgewardError, systemCodeOf } from '@edgeward/runtime';

export interface ToolCall {
  program: string;
  args: readonly string[];
  /** Pieces of text, written as the program takes them: a large set is never one string. */
  input?: Iterable<string>;
}

export interface ToolAnswer {
  /** Exit status; 128 and more where a signal ended it. */
  status: number;
  stdout: string;
  stderr: string;
}

export type RunTool = (call: ToolCall) => Promise<ToolAnswer>;

export interface ToolRunOptions {
  /** Words before every command, `ip netns exec NAME`: tests give each host a network namespace. */
  where?: readonly string[];
  /** For one call: 30 s. A million members take 4 s. */
  timeoutMs?: number;
  /** Of standard output: 256 MiB. A million members are 45 MB. */
  maxOutputBytes?: number;
}

const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';
const MAX_COMPLAINT = 4096;

export function createToolRun(options: ToolRunOptions = {}): RunTool {
  const { where = [], timeoutMs = 30_000, maxOutputBytes = 256 * 1024 * 1024 } = options;
  return (call) => {
    const [program, ...args] = [...where, call.program, ...call.args];
    return answerOf(call, program ?? call.program, args, { timeoutMs, maxOutputBytes });
  };
}

interface Bounds {
  timeoutMs: number;
  maxOutputBytes: number;
}

function answerOf(call: ToolCall, program: string, args: string[], bounds: Bounds): Promise<ToolAnswer> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { PATH, LC_ALL: 'C' }, stdio: 'pipe' });
    // Node's own limit outlives a program that was never started.
    const limit = setTimeout(() => child.kill('SIGKILL'), bounds.timeoutMs);
    const output: Buffer[] = [];
    let [size, complaint] = [0, ''];
    child.stdout.on('data', (piece: Buffer) => {
      size += piece.length;
      if (size <= bounds.maxOutputBytes) output.push(piece);
      else child.kill('SIGKILL');
    });
    child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      complaint = (complaint + piece).slice(0, MAX_COMPLAINT);
    });
    // A program that stops reading tells why by its status.
    child.stdin.on('error', () => {});
    child.on('error', (cause) => {
      clearTimeout(limit);
      reject(unreachable(call, `it can't be started (${systemCodeOf(cause) ?? cause.message})`, cause));
    });
    child.on('close', (code, signal) => {
      clearTimeout(limit);
      const cut = signal === 'SIGKILL' ? cutBy(size, bounds) : null;
      if (cut !== null) reject(unreachable(call, cut));
      else resolve({ status: code ?? 128, stdout: Buffer.concat(output).toString('utf8'), stderr: complaint });
    });
    const input = Readable.from(call.input ?? [], { objectMode: true });
    // Half of what was to be said is worse than nothing: the program must not take its end for the end.
    input.on('error', (cause) => {
      child.kill('SIGKILL');
      reject(cause);
    });
    input.pipe(child.stdin);
  });
}

function cutBy(size: number, { maxOutputBytes, timeoutMs }: Bounds): string {
  if (size > maxOutputBytes) return `it wrote more than ${maxOutputBytes} bytes`;
  return `it did not end within ${timeoutMs} ms, or was killed`;
}

function unreachable({ program, args }: ToolCall, why: string, cause?: unknown): EdgewardError {
  return new EdgewardError('EDW_ERR_POINT_UNREACHABLE', `running \`${[program, ...args].join(' ')}\`: ${why}`, {
    mend: 'Install iptables and ipset, and let the agent have CAP_NET_ADMIN and CAP_NET_RAW. What is in the kernel stays in force.',
    cause,
  });
}
