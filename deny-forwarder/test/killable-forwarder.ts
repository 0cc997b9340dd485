/** A forwarder in a process of its own that is killed with SIGKILL and started again. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { childEnvironment } from '../../test/kit/child-environment.ts';
import { startable } from '../../test/kit/program.ts';
import type { ForwarderConfig } from '../src/index.ts';
import type { Scene } from './kit.ts';

export interface Killable {
  start(): Promise<void>;
  kill(): Promise<void>;
  /** Bytes of memory that it took at most. */
  peakBytes(): number;
  /** Of its own metrics; null where it is not among them. */
  metric(name: string): Promise<number | null>;
}

/** `port`: where it finds its collector; that of the scene without it. */
export function killableForwarder(
  t: Test,
  scene: Scene,
  { port, ...more }: Partial<ForwarderConfig> & { port?: number } = {},
): Killable {
  const config: ForwarderConfig = {
    ...{ denyLog: scene.log, spoolDir: join(scene.folder, 'spool'), logLevel: 'info' },
    ...{ maxSpoolBytes: 64 * 1024 * 1024, maxUnreadBytes: 2 * 1024 * 1024 * 1024 },
    collector: { url: port === undefined ? scene.url : `https://127.0.0.1:${port}`, tls: scene.tls },
    metrics: { host: '127.0.0.1', port: 0, tls: null },
    ...more,
  };
  let child: ChildProcess | null = null;
  let url = '';
  const kill = async (): Promise<void> => {
    const running = child;
    child = null;
    if (running === null || running.exitCode !== null || running.signalCode !== null) return;
    running.kill('SIGKILL');
    await once(running, 'exit');
  };
  t.teardown(kill);
  return {
    kill,
    peakBytes() {
      const status = readFileSync(`/proc/${child?.pid}/status`, 'utf8');
      return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
    },
    async metric(name) {
      const text = await (await fetch(`${url}/metrics`)).text();
      const value = new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'm').exec(text)?.[1];
      return value === undefined ? null : Number(value);
    },
    async start() {
      child = fork(startable(join(import.meta.dirname, 'forwarding-child.ts')), [JSON.stringify(config)], {
        // The memory that the unit gives it: one that keeps what waits would end.
        execArgv: [
          '--conditions=edgeward-source',
          '--no-warnings',
          '--max-old-space-size=128',
          '--max-semi-space-size=2',
        ],
        env: childEnvironment(),
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });
      [url] = (await once(child, 'message')) as [string];
    },
  };
}
