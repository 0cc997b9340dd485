/** The store of a fleet as a process, seen from outside: when it served what, and what it holds of whom. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from './benchmark.ts';
import type { FromStore, ToStore } from './fleet-messages.ts';
import { type FleetProcess, type Memory, startFleetProcess } from './fleet-processes.ts';
import type { FleetWorld } from './fleet-world.ts';

export interface FleetStore {
  url: string;
  /** When heads were served since it was asked for last. */
  served(): Promise<number[]>;
  /** Settles when this many were, with the time of the last. */
  hasServed(heads: number): Promise<number>;
  /** Newest revision by point, in the order of their numbers. */
  revisions(points: number): Promise<number[]>;
  memory(): Promise<Memory>;
  /** Of its memory, what JavaScript holds after a collection. */
  heldBytes(): Promise<number>;
  processorSeconds(): Promise<number>;
  stop(): Promise<void>;
}

/** What systemd would give it is a part of how much memory it takes. */
const UNIT = new URL('../../central-store/edgeward-store.service', import.meta.url);
const LOOK_MS = 50;
const MAX_LOOKS = 6_000;

export async function startFleetStore(bench: Bench, { config }: FleetWorld): Promise<FleetStore> {
  const file = join(config.stateDir, '..', 'edgeward-store.yaml');
  // JSON is YAML.
  await writeFile(file, JSON.stringify(config));
  const environment = environmentOf(await readFile(UNIT, 'utf8'));
  const running: FleetProcess<FromStore, ToStore> = startFleetProcess(
    bench,
    'fleet-store-child.ts',
    [file],
    environment,
  );
  const { port } = await running.next('listening');
  const served = async (): Promise<number[]> => {
    const answer = running.next('served');
    running.tell({ do: 'served' });
    return (await answer).atMs;
  };
  return {
    url: `https://127.0.0.1:${port}`,
    served,
    async hasServed(heads) {
      const seen: number[] = [];
      for (let look = 0; look < MAX_LOOKS; look += 1) {
        seen.push(...(await served()));
        if (seen.length >= heads) return seen.at(-1) ?? 0;
        await sleep(LOOK_MS);
      }
      throw new Error(`the store served ${seen.length} heads of ${heads}`);
    },
    async revisions(points) {
      const answer = running.next('revisions');
      running.tell({ do: 'revisions', points });
      return (await answer).revisions;
    },
    memory: running.memory,
    async heldBytes() {
      const answer = running.next('held');
      running.tell({ do: 'held' });
      return (await answer).bytes;
    },
    processorSeconds: running.processorSeconds,
    stop: running.stop,
  };
}

/** `Environment=NAME=VALUE NAME=VALUE`, as our unit writes it: without quotes. */
function environmentOf(unit: string): Record<string, string> {
  const assignments = [...unit.matchAll(/^Environment=(.+)$/gm)].flatMap(([, line = '']) => line.split(' '));
  return Object.fromEntries(assignments.map((it) => [it.slice(0, it.indexOf('=')), it.slice(it.indexOf('=') + 1)]));
}
