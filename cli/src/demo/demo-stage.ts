/** What every part of the demonstration stands on: where it speaks, what it edits, whom it asks; and how it says it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { StoredDenial } from '@edgeward/audit-collector';
import { EdgewardError, type Lifecycle } from '@edgeward/runtime';
import type { Service } from '@edgeward/sync-service';
import type { Context } from '../frame/command.ts';
import { denialLine } from '../service/denial-line.ts';
import type { DemoFolder } from './demo-folder.ts';
import type { DemoAnswer, DemoRequest } from './demo-requests.ts';

export interface Stage {
  context: Context;
  folder: DemoFolder;
  lifecycle: Lifecycle;
  service: Service;
}

export interface DemoStep extends DemoRequest {
  who: string;
}

const waitMs = 20_000;

export function say({ context }: Pick<Stage, 'context'>, text: string): Promise<void> {
  return context.out.write(`${text}\n`);
}

export function requestLine(step: DemoStep, { status }: DemoAnswer, { paint, flag }: Context): string {
  const word = (status === 0 ? 'reset' : String(status)).padEnd(flag('bigip') ? 5 : 3);
  const request = `${step.method} ${step.host}${step.path}`;
  const shown = status === 200 ? paint.good(word) : paint.bad(word);
  return `${shown}  ${step.from.padEnd(12)} ${step.who.padEnd(20)} ${request}`;
}

/** As `edgeward denials` shows it; what a client sent is made harmless there. */
export function shownDenial({ event }: StoredDenial, { paint, now }: Context): string {
  return denialLine({ denial: event, count: event.count, since: null }, now(), paint);
}

/** Denials of a point that come into the ledger from now on: waits until there are as many as asked for. */
export async function followLedger(
  { service }: Stage,
  point: string,
): Promise<(expected: number) => Promise<StoredDenial[]>> {
  const before = (await service.collector.denials({ newest: true, limit: 1 }))[0]?.id ?? 0;
  const found = (): Promise<StoredDenial[]> => service.collector.denials({ afterId: before, point });
  return async (expected) => {
    await until('the denials are in the ledger', async () => (await found()).length >= expected);
    return found();
  };
}

export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + waitMs;
  while (!(await holds())) {
    if (Date.now() > deadline) {
      throw new EdgewardError('EDW_ERR_DEMO', `waiting until ${what}: not within ${waitMs / 1000} s`, {
        mend: 'Run it again; if it stays so, report the output and the machine.',
      });
    }
    await sleep(5);
  }
}
