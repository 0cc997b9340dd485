/**
 * Finds a Prometheus (2.40 or newer) with its `promtool`: those that are installed, else those unpacked earlier, else
 * Debian's own package unpacked now. Both must run and come from one folder, so that rules are checked by the parser of
 * the server that evaluates them.
 */
import { dirname, join } from 'node:path';
import { EdgewardError } from '@edgeward/runtime';
import { lastWords, runProgram } from './program-run.ts';
import { type FindProgramOptions, findProgram, type ProgramKind } from './program-search.ts';
import { runThroughLoader } from './unpacked-tree.ts';

/** An unpacked one takes 230 MB. */
export type FindPrometheusOptions = FindProgramOptions;

export interface PrometheusCommands {
  /** Program and leading arguments; the server's own come after. */
  readonly prometheus: readonly string[];
  readonly promtool: readonly string[];
  /** As the server names itself: `2.53.3+ds1`. */
  readonly version: string;
}

const runTimeoutMs = 20_000;

const prometheus: ProgramKind<PrometheusCommands> = {
  name: 'prometheus',
  title: 'Prometheus (40 MB)',
  packages: ['prometheus'],
  files: ['prometheus'],
  customaryFolders: ['/usr/local/bin', '/opt/prometheus'],
  installed: (path) => inspected([path], [join(dirname(path), 'promtool')]),
  unpacked: (tree) =>
    inspected(runThroughLoader(tree, 'usr/bin/prometheus'), runThroughLoader(tree, 'usr/bin/promtool')),
  notFound,
};

/** Rejects with EDW_ERR_PROMETHEUS_NOT_FOUND, which says what was tried, or with the reason of `signal`. */
export function findPrometheus(options: FindPrometheusOptions = {}): Promise<PrometheusCommands> {
  return findProgram(prometheus, options);
}

async function inspected(server: readonly string[], tool: readonly string[]): Promise<PrometheusCommands | string> {
  const version = await versionOf(server, 'prometheus');
  if ('reason' in version) return version.reason;
  const [major = 0, minor = 0] = version.name.split('.').map(Number);
  if (major < 2 || (major === 2 && minor < 40)) return `${server.at(-1)} is version ${version.name}, older than 2.40`;
  const toolVersion = await versionOf(tool, 'promtool');
  if ('reason' in toolVersion) return toolVersion.reason;
  return { prometheus: server, promtool: tool, version: version.name };
}

async function versionOf(command: readonly string[], name: string): Promise<{ name: string } | { reason: string }> {
  const [program = '', ...args] = command;
  const run = await runProgram(program, [...args, '--version'], { timeoutMs: runTimeoutMs });
  // Some builds say it on stderr.
  const said = `${run.stdout}\n${run.stderr}`;
  const [, found] = new RegExp(`^${name}, version (\\d+\\.\\d+\\.[\\w.+~-]+)`, 'm').exec(said) ?? [];
  return found === undefined ? { reason: `${command.at(-1)} is no ${name}: ${lastWords(run)}` } : { name: found };
}

function notFound(reasons: readonly string[], cause?: unknown): EdgewardError {
  const tried = reasons.length === 0 ? 'there is none on PATH' : reasons.join('; ');
  return new EdgewardError('EDW_ERR_PROMETHEUS_NOT_FOUND', `looking for Prometheus 2.40 or newer: ${tried}`, {
    mend: 'Install it with its promtool (Debian and Ubuntu: `apt install prometheus`; macOS: `brew install prometheus`), and see that both are on PATH.',
    cause,
  });
}
