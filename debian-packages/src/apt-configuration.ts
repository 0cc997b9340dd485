/**
 * An apt configuration that touches nothing of the system. apt reads the file named by APT_CONFIG before all others, so
 * it can switch the others off: the system's hooks must not run for our folder (images of Debian have one that empties
 * the system's cache). What the operator set for reaching mirrors is carried over, and whether lists may be old: a mirror
 * that stands still, as a snapshot does, is the operator's choice.
 */
import { join } from 'node:path';
import { runProgram } from './program-run.ts';

const carriedOver = /^Acquire::(http|https|Retries|ForceIPv4|ForceIPv6|Check-Valid-Until|Check-Date)\b/;

export function aptFolders(folder: string): string[] {
  return ['lists/partial', 'cache/archives/partial', 'root'].map((name) => join(folder, name));
}

export async function aptConfiguration(folder: string, architecture: string): Promise<string> {
  const dump = await runProgram('apt-config', ['dump'], { timeoutMs: 10_000 });
  const reach = dump.stdout.split('\n').filter((line) => carriedOver.test(line));
  const own: Record<string, string> = {
    'Dir::State': folder,
    'Dir::State::lists': join(folder, 'lists'),
    // An empty status file: every package that is needed is downloaded, whatever is installed here.
    'Dir::State::status': join(folder, 'status'),
    'Dir::Cache': join(folder, 'cache'),
    'Dir::Log': folder,
    'Dir::Etc::main': '/dev/null',
    'Dir::Etc::parts': '/dev/null',
    'Dir::Etc::preferences': '/dev/null',
    'Dir::Etc::preferencesparts': '/dev/null',
    'Dir::Etc::sourcelist': join(folder, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'APT::Architecture': architecture,
    'APT::Architectures': architecture,
    // root would download as `_apt`, which may not enter a folder of root's own.
    'APT::Sandbox::User': 'root',
    // Else apt calls a mirror that it could not reach a warning, and goes on with nothing.
    'APT::Update::Error-Mode': 'any',
    'Acquire::Languages': 'none',
    'Acquire::AllowInsecureRepositories': 'false',
    'Acquire::AllowWeakRepositories': 'false',
    'Acquire::AllowDowngradeToInsecureRepositories': 'false',
    'APT::Get::AllowUnauthenticated': 'false',
  };
  const lines = Object.entries(own).map(([key, value]) => `${key} "${value}";`);
  return `${[...reach, ...lines].join('\n')}\n`;
}
