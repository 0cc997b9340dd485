/**
 * Finds a `nats-server` with JetStream and direct reads (2.9 or newer): the one that is installed, else the one unpacked
 * earlier, else Debian's own package unpacked now. A candidate counts only after it ran and named its version.
 */
import { EdgewardError } from '@edgeward/runtime';
import { lastWords, runProgram } from './program-run.ts';
import { type FindProgramOptions, findProgram, type ProgramKind } from './program-search.ts';
import { runThroughLoader } from './unpacked-tree.ts';

/** An unpacked one takes 45 MB. */
export type FindNatsServerOptions = FindProgramOptions;

export interface NatsServerCommand {
  /** Program and leading arguments; the server's own come after. */
  readonly command: readonly string[];
  /** As it names itself: `2.9.10`. */
  readonly version: string;
}

const runTimeoutMs = 10_000;

const natsServer: ProgramKind<NatsServerCommand> = {
  name: 'nats-server',
  title: 'NATS server (6 MB)',
  packages: ['nats-server'],
  files: ['nats-server'],
  customaryFolders: ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin'],
  installed: (path) => inspected([path]),
  unpacked: (tree) => inspected(runThroughLoader(tree, 'usr/sbin/nats-server')),
  notFound,
};

/** Rejects with EDW_ERR_NATS_SERVER_NOT_FOUND, which says what was tried, or with the reason of `signal`. */
export function findNatsServer(options: FindNatsServerOptions = {}): Promise<NatsServerCommand> {
  return findProgram(natsServer, options);
}

/** The command with its version, or why it can't serve. */
async function inspected(command: readonly string[]): Promise<NatsServerCommand | string> {
  const [program = '', ...args] = command;
  const run = await runProgram(program, [...args, '--version'], { timeoutMs: runTimeoutMs });
  const [, version, major, minor] = /^nats-server: v?((\d+)\.(\d+)[\w.+-]*)$/m.exec(run.stdout) ?? [];
  const named = command.at(-1);
  if (version === undefined) return `${named} is no nats-server: ${lastWords(run)}`;
  const serves = Number(major) > 2 || (Number(major) === 2 && Number(minor) >= 9);
  return serves ? { command, version } : `${named} is version ${version}, older than 2.9`;
}

function notFound(reasons: readonly string[], cause?: unknown): EdgewardError {
  const tried = reasons.length === 0 ? 'there is none on PATH' : reasons.join('; ');
  return new EdgewardError('EDW_ERR_NATS_SERVER_NOT_FOUND', `looking for nats-server 2.9 or newer: ${tried}`, {
    mend: 'Install it (Debian and Ubuntu: `apt install nats-server`; macOS: `brew install nats-server`), and see that nats-server is on PATH.',
    cause,
  });
}
