/** Debian's rsyslog, writing what it is sent over TCP to a file as it came: what taking a line in costs at least. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  defaultCacheDir,
  fetchPackages,
  runProgram,
  runThroughLoader,
  type UnpackedTree,
} from '@edgeward/debian-packages';
import { messageOf } from '@edgeward/runtime';
import { freePort } from '../kit/free-port.ts';
import type { Bench } from './benchmark.ts';
import { cpuOf } from './host-tools.ts';

interface Rsyslog {
  command: readonly string[];
  modules: string | null;
  version: string;
}

export interface RsyslogRun {
  version: string;
  port: number;
  /** Until its file has so many bytes. */
  writtenAll(bytes: number): Promise<void>;
  cpuMs(): number;
}

/** Of this machine, or unpacked into the cache; the reason where there is none. */
export async function findRsyslog(): Promise<Rsyslog | string> {
  const installed = await versioned(['rsyslogd'], null);
  if (typeof installed !== 'string') return installed;
  try {
    const tree = await fetchPackages({
      cacheDir: defaultCacheDir(),
      name: 'rsyslog',
      title: 'rsyslog (1 MB)',
      packages: ['rsyslog'],
    });
    return await versioned(runThroughLoader(tree, 'usr/sbin/rsyslogd'), modulesOf(tree));
  } catch (thrown) {
    return messageOf(thrown);
  }
}

/** Folders with a colon between, as `-M` takes them. */
const modulesOf = ({ libraries }: UnpackedTree): string =>
  libraries
    .split(':')
    .map((folder) => join(folder, 'rsyslog'))
    .join(':');

async function versioned(command: readonly string[], modules: string | null): Promise<Rsyslog | string> {
  const [program = '', ...args] = command;
  const run = await runProgram(program, [...args, '-v'], { timeoutMs: 10_000 });
  const version = /^rsyslogd\s+(\S+)/.exec(run.stdout)?.[1];
  return version === undefined ? `no rsyslogd: ${run.stderr.trim().split('\n').at(-1)}` : { command, modules, version };
}

export async function startRsyslog(bench: Bench, { command, modules, version }: Rsyslog): Promise<RsyslogRun> {
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-rsyslog-'));
  bench.teardown(() => rm(folder, { recursive: true, force: true }));
  const [port, file, config] = [await freePort(), join(folder, 'denials.log'), join(folder, 'rsyslog.conf')];
  const lines = [
    `global(workDirectory="${folder}" maxMessageSize="16k")`,
    'module(load="imtcp")',
    `input(type="imtcp" address="127.0.0.1" port="${port}")`,
    'template(name="asItCame" type="string" string="%rawmsg%\\n")',
    `action(type="omfile" file="${file}" template="asItCame")`,
  ];
  await writeFile(config, `${lines.join('\n')}\n`);
  const [program = '', ...args] = command;
  const where = modules === null ? [] : ['-M', modules];
  const child = spawn(program, [...args, '-n', '-f', config, '-i', join(folder, 'pid'), ...where], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.on('error', () => {});
  let said = '';
  child.stderr.on('data', (chunk) => {
    said = `${said}${chunk}`.slice(-2_000);
  });
  bench.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    const closed = once(child, 'exit');
    child.kill('SIGKILL');
    await closed;
  });
  await listening(port, () => said);
  return {
    ...{ version, port },
    cpuMs: () => cpuOf(child.pid ?? 0).own,
    async writtenAll(bytes) {
      for (let looks = 0; looks < 15_000; looks += 1) {
        const size = await stat(file).then(
          ({ size }) => size,
          () => 0,
        );
        if (size >= bytes) return;
        await sleep(20);
      }
      throw new Error(`rsyslog did not write ${bytes} bytes`);
    },
  };
}

async function listening(port: number, said: () => string): Promise<void> {
  for (let looks = 0; looks < 200; looks += 1) {
    const socket = connect(port, '127.0.0.1');
    const answered = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (answered) return;
    await sleep(50);
  }
  throw new Error(`rsyslog does not listen: ${said()}`);
}
