/** A sync service in a process of its own that is killed with SIGKILL and started again, and asked in between. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServiceStatus } from '@edgeward/sync-service';
import type { Teardown } from '@edgeward/test/kit';
import { childEnvironment } from '../kit/child-environment.ts';
import { startable } from '../kit/program.ts';
import type { ServicePlace } from './running-service.ts';

export interface KillableService {
  /** Resolves when its API answers. Throws what it wrote last where it ended by itself. */
  start(): Promise<void>;
  kill(): Promise<void>;
  /** As JSON, from the process that runs now. */
  get(path: string): Promise<unknown>;
  /** As a scrape has it. */
  metrics(): Promise<string>;
  status(): Promise<ServiceStatus>;
}

const startMs = 120_000;

export function killableService(t: Teardown, place: ServicePlace): KillableService {
  let running: { child: ChildProcess; url: string } | null = null;

  async function kill(): Promise<void> {
    const child = running?.child;
    running = null;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  async function get(path: string): Promise<unknown> {
    const token = (await readFile(join(place.stateDir, 'api-token'), 'utf8')).trim();
    const response = await fetch(`${running?.url}${path}`, { headers: { authorization: `Bearer ${token}` } });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  t.teardown(kill);
  return {
    kill,
    get,
    metrics: async () => (await fetch(`${running?.url}/metrics`)).text(),
    status: async () => (await get('/v1/status')) as ServiceStatus,
    async start() {
      const child = fork(startable(join(import.meta.dirname, 'service-process.ts')), [place.configFile], {
        execArgv: ['--conditions=edgeward-source', '--no-warnings'],
        env: childEnvironment(),
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      });
      let said = '';
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        said = (said + text).slice(-4000);
      });
      running = { child, url: '' };
      const signal = AbortSignal.timeout(startMs);
      const [url] = (await Promise.race([
        once(child, 'message', { signal }),
        once(child, 'exit', { signal }).then(() => {
          throw new Error(`the service ended by itself: ${said}`);
        }),
      ])) as [string];
      running = { child, url };
    },
  };
}
