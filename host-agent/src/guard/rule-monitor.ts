/**
 * `nft monitor` as a child process: it costs nothing while nothing changes, and tells within a millisecond when something does.
 * It is started again, with pauses, whenever it ends. It sees neither sets of ipset nor rules of iptables-legacy.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { backoff, type Clock, type Logger, systemCodeOf } from '@edgeward/runtime';
import { readMonitorLine, type WritingProcess } from './monitor-line.ts';

export interface RuleMonitorOptions {
  /** Words before the command. */
  where: readonly string[];
  clock: Clock;
  logger: Logger;
  /** Something near our rules changed, or may have. */
  onChange(): void;
  /** Who made the change just told of. */
  onProcess(process: WritingProcess): void;
}

export interface RuleMonitor {
  /** Null while it runs; else why it doesn't. */
  away(): string | null;
  close(): Promise<void>;
}

const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';
const PAUSE = { baseMs: 250, maxMs: 30_000 };
/** What lived this long ended for another reason than the last one. */
const SETTLED_MS = 60_000;
/** Until the child listens changes are not told of: a few milliseconds, and longer where the host is busy. */
const STARTED_MS = [500, 5000];
const MAX_LINE_CHARS = 65_536;
const MAX_COMPLAINT_CHARS = 200;

export function startRuleMonitor(options: RuleMonitorOptions): RuleMonitor {
  const { clock, logger, onChange } = options;
  const pause = backoff(PAUSE);
  let away: string | null = null;
  let child: ChildProcess | null = null;
  let gone: Promise<void> = Promise.resolve();
  let cancels: (() => void)[] = [];
  let closed = false;

  function cancelAll(): void {
    for (const cancel of cancels) cancel();
  }

  function start(): void {
    const startedMs = clock.now();
    cancels = STARTED_MS.map((ms) => clock.after(ms, onChange));
    gone = new Promise((resolve) => {
      child = run(options, (why) => {
        child = null;
        cancelAll();
        resolve();
        if (!closed) again(why, clock.now() - startedMs);
      });
      child.once('spawn', () => {
        away = null;
      });
    });
  }

  function again(why: string, livedMs: number): void {
    if (away === null) logger.warn({ event: 'rule_monitor_ended', why }, 'rules are polled until nft monitor runs');
    away = why;
    if (livedMs >= SETTLED_MS) pause.reset();
    // Never at once: a program that ends at its start would be started without end.
    cancels = [clock.after(PAUSE.baseMs + pause.nextMs(), start)];
  }

  start();
  return {
    away: () => away,
    close: async () => {
      closed = true;
      cancelAll();
      child?.kill('SIGTERM');
      await gone;
    },
  };
}

/** `onEnd` is called once. */
function run(options: RuleMonitorOptions, onEnd: (why: string) => void): ChildProcess {
  // Numeric: names of services are not looked up.
  const [program = '', ...args] = [...options.where, 'nft', '-n', 'monitor'];
  const child = spawn(program, args, { env: { PATH, LC_ALL: 'C' }, stdio: ['ignore', 'pipe', 'pipe'] });
  const lines = lineReader(options);
  child.stdout.setEncoding('utf8').on('data', lines);
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    complaint = (complaint + piece).slice(0, MAX_COMPLAINT_CHARS);
  });
  let ended = false;
  const end = (why: string): void => {
    if (ended) return;
    ended = true;
    onEnd(why);
  };
  child.on('error', (cause) => end(`nft monitor can't be started (${systemCodeOf(cause) ?? cause.message})`));
  child.on('close', (status, signal) => end(`nft monitor ended (${complaintOf(complaint) || (signal ?? status)})`));
  return child;
}

function complaintOf(text: string): string {
  return text.replace(/[^\x20-\x7e]+/g, ' ').trim();
}

/** A transaction may come in pieces: who made it is told at its end. */
function lineReader({ onChange, onProcess }: RuleMonitorOptions): (piece: string) => void {
  let rest = '';
  let near = false;
  const read = (line: string): void => {
    const seen = readMonitorLine(line);
    if (seen.kind === 'near') {
      if (!near) onChange();
      near = true;
    }
    if (seen.kind !== 'end') return;
    if (near && seen.process !== null) onProcess(seen.process);
    near = false;
  };
  return (piece) => {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') read(line);
    if (rest.length <= MAX_LINE_CHARS) return;
    rest = '';
    read('');
  };
}
