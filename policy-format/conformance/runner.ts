/**
 * Runs the vectors against an implementation in a process of its own. It needs Node alone, and nothing of Edgeward: what is
 * judged is what the process answers. Every wait is bounded.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { isDeepStrictEqual } from 'node:util';
import type { Expectation, Step, Vector, VectorFile } from './vector-files.ts';

export interface RunOptions {
  /** The command and its arguments. */
  command: readonly string[];
  files: ReadonlyMap<string, VectorFile>;
  /** A refusal with another code at the right stage is a failure too. Default false. */
  codes?: boolean;
  /** For each answer. Default 10,000. */
  timeoutMs?: number;
}

export interface VectorResult {
  file: string;
  name: string;
  threat: string | null;
  /** What was wrong with the first step that was answered wrongly; null: nothing. */
  problem: string | null;
}

type Answer = Record<string, unknown>;

interface Subject {
  ask(request: Record<string, unknown>): Promise<Answer>;
  close(): Promise<void>;
}

export async function runVectors(options: RunOptions): Promise<VectorResult[]> {
  const results: VectorResult[] = [];
  let subject: Subject | null = null;
  try {
    for (const [file, content] of options.files)
      for (const vector of content.vectors) {
        subject ??= startSubject(options);
        const problem = await play(vector, content, subject, options.codes ?? false);
        if (problem?.fatal) {
          await subject.close();
          subject = null;
        }
        results.push({ file, name: vector.name, threat: vector.threat ?? null, problem: problem?.text ?? null });
      }
  } finally {
    await subject?.close();
  }
  return results;
}

type Problem = { text: string; fatal: boolean };

async function play({ steps }: Vector, file: VectorFile, subject: Subject, codes: boolean): Promise<Problem | null> {
  for (const [at, step] of steps.entries()) {
    let answer: Answer;
    try {
      answer = await subject.ask(sentFor(step, file));
    } catch (thrown) {
      return { text: `step ${at + 1} (${step.request.do}): ${String(thrown)}`, fatal: true };
    }
    const difference = differenceIn(answer, step.expect, codes);
    if (difference !== null) return { text: `step ${at + 1} (${step.request.do}): ${difference}`, fatal: false };
  }
  return null;
}

/** The request with what it names: documents, and for what takes something over the blobs that a store would serve. */
function sentFor({ request, serve }: Step, { blobs, documents }: VectorFile): Record<string, unknown> {
  const named = (digest: unknown): unknown => documents[String(digest)];
  if (request.do === 'begin') return { ...request, root: named(request.root) };
  if (request.do !== 'head' && request.do !== 'delta') return request;
  const served = Object.entries({ ...blobs, ...serve }).filter((it) => it[1] !== null);
  const roots = Object.entries(request.roots ?? {}).map(([version, digest]) => [version, named(digest)]);
  const bytes = named(request.bytes);
  return { ...request, bytes, roots: Object.fromEntries(roots), blobs: Object.fromEntries(served) };
}

function differenceIn(answer: Answer, expect: Expectation, codes: boolean): string | null {
  if ('accept' in expect) {
    const accepted = answer.accept;
    if (typeof accepted !== 'object' || accepted === null) return `accepted is right, and it said ${said(answer)}`;
    const wrong = Object.entries(expect.accept).find(
      ([key, value]) => !isDeepStrictEqual(valueAt(accepted, key), value),
    );
    return wrong === undefined
      ? null
      : `${wrong[0]} is ${said(wrong[1])}, and it said ${said(valueAt(accepted, wrong[0]))}`;
  }
  const right = answer.stage === expect.stage && (!codes || answer.code === expect.code);
  return right ? null : `refused as ${expect.stage} ${expect.code} is right, and it said ${said(answer)}`;
}

function valueAt(object: object, key: string): unknown {
  return Object.hasOwn(object, key) ? (object as Record<string, unknown>)[key] : undefined;
}

function said(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

interface Waiting {
  resolve: (line: string) => void;
  reject: (error: Error) => void;
  timer: NodeJS.Timeout;
}

function startSubject({ command, timeoutMs = 10_000 }: RunOptions): Subject {
  const [file, ...args] = command;
  if (file === undefined) throw new Error('no command was given');
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting: Waiting[] = [];
  const fail = (error: Error): void => {
    for (const it of waiting.splice(0)) {
      clearTimeout(it.timer);
      it.reject(error);
    }
  };
  child.on('error', fail);
  child.on('exit', (code, signal) => fail(new Error(`the subject ended (${signal ?? code})`)));
  child.stdin.on('error', fail);
  createInterface({ input: child.stdout }).on('line', (line) => {
    const it = waiting.shift();
    clearTimeout(it?.timer);
    it?.resolve(line);
  });
  let id = 0;
  return {
    async ask(request) {
      id += 1;
      const line = await new Promise<string>((resolve, reject) => {
        if (child.exitCode !== null || child.signalCode !== null) throw new Error('the subject has ended');
        const timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
        waiting.push({ resolve, reject, timer });
        child.stdin.write(`${JSON.stringify({ id, ...request })}\n`);
      });
      const answer: Answer = JSON.parse(line);
      if (answer.id !== id) throw new Error(`the answer to ${id} has the id ${said(answer.id)}`);
      return answer;
    },
    close: () => closed(child),
  };
}

async function closed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.stdin?.end();
  const timer = setTimeout(() => child.kill('SIGKILL'), 2000);
  await ended;
  clearTimeout(timer);
}
