/**
 * A rehearsed incident on a running demonstration: a mistyped label cuts a consumer off, and three steps lead from its
 * denials to the cause and back. Edits nothing but the label of one workload of the example policies, and only where the
 * configuration is named and that workload is the example's own.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EdgewardError } from '@edgeward/runtime';
import { loadServiceConfig } from '@edgeward/sync-service';
import type { Context } from '../frame/command.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { denialLine, shownAlone } from '../service/denial-line.ts';
import { type Denial, denialsAnswer, statusAnswer, type Why, whyAnswer } from '../service/service-answers.ts';
import { openService, type ServiceClient } from '../service/service-client.ts';
import { whyText } from '../service/why.ts';
import { entryOf, type InventoryEntry, relabel } from './inventory.ts';

const workload = 'crm-1';
const right = 'env: prod';
const mistyped = 'env: pord';
/** Of examples/policies and of docker/policies. */
const exampleAddresses = ['127.0.10.4', '10.213.77.10'];
const waitMs = 30_000;
const pollMs = 100;

interface Scene {
  context: Context;
  service: ServiceClient;
  entry: InventoryEntry;
  /** Of the consumer. */
  address: string;
}

/** Throws EDW_ERR_DEMO, EDW_ERR_REHEARSAL, and what a client of the service throws. */
export async function rehearseBreak(context: Context): Promise<ExitCode> {
  const scene = await openScene(context);
  const { service, entry } = scene;
  if (!entry.labels.includes(right)) throw sceneError('the label is broken already', 'Run `edgeward demo mend`.');
  const before = await newest(scene);
  const revision = await revisionOf(service);
  await relabel(entry.file, workload, right, mistyped);
  await context.out.write(
    `${entry.file}:${entry.line}: ${workload} from ${right} to ${mistyped}, as somebody mistypes\n`,
  );
  const now = await inForceAfter(service, revision);
  await context.out.write(`revision ${now} is in force at every point\n`);
  const denial = await until(`a denial of ${scene.address}`, async () => (await denialsOf(scene, before))[0] ?? null);
  await context.out.write(`\n${context.paint.strong('The consumer is cut off')}\n`);
  await context.out.write(denialLine(shownAlone(denial), context.now(), context.paint));
  await context.out.write(
    '\nFind the cause yourself, or have it shown: the same command with `mend` in place of `break`.\n',
  );
  return 0;
}

/** Throws EDW_ERR_DEMO, EDW_ERR_REHEARSAL, and what a client of the service throws. */
export async function rehearseMend(context: Context): Promise<ExitCode> {
  const scene = await openScene(context);
  const { service, entry } = scene;
  const { strong } = context.paint;
  if (!entry.labels.includes(mistyped)) throw sceneError('nothing is broken', 'Run `edgeward demo break`.');
  const denial = (await denialsOf(scene, 0)).at(-1);
  if (denial === undefined)
    throw sceneError(`no denial of ${scene.address} is stored yet`, 'Wait for one, and try again.');
  await context.out.write(`${strong('1. Who is denied')}   edgeward denials --source ${scene.address}\n`);
  await context.out.write(denialLine(shownAlone(denial), context.now(), context.paint));
  const answer = await why(service, denial);
  await context.out.write(`\n${strong('2. Why')}   edgeward why ${referenceOf(denial)}\n`);
  await context.out.write(whyText(answer, context));
  await context.out.write(`\n${strong('3. What the inventory says')}   ${entry.file}:${entry.line}\n`);
  await context.out.write(`  labels: ${entry.labels}\n`);
  const revision = await revisionOf(service);
  await relabel(entry.file, workload, mistyped, right);
  await context.out.write(`\n${strong('And back')}   ${workload} from ${mistyped} to ${right}\n`);
  await inForceAfter(service, revision);
  const after = await why(service, denial);
  if (after.now?.verdict !== 'allow') throw sceneError('the consumer is still denied', 'Look at `edgeward status`.');
  await context.out.write(`  the same request now: ${after.now.words} (revision ${after.now.revision})\n`);
  return 0;
}

async function openScene(context: Context): Promise<Scene> {
  const file = context.required('config');
  const { policies } = await loadServiceConfig({ file, env: context.env });
  const inventory = context.text('inventory') ?? join(policies, 'inventory.yaml');
  const entry = await entryOf(inventory, workload);
  const address = entry?.addresses[0] ?? '';
  if (entry === null || !exampleAddresses.includes(address)) {
    throw sceneError(
      `${inventory} does not hold the example policies`,
      'Name the configuration of a running demonstration: `edgeward demo` prints it; docs/compose.md has the other.',
    );
  }
  return { context, service: await openService(context, 'demo'), entry, address };
}

/** Stored after that id; 0: the last one of all. Oldest first. */
async function denialsOf({ service, address }: Scene, after: number): Promise<Denial[]> {
  const sought = { source: address, object: 'order-front', reason: 'unknown-source' };
  const query = { ...sought, ...(after === 0 ? { limit: 1 } : { after }) };
  return (await service.ask({ path: '/v1/denials', query, answer: denialsAnswer })).value.denials;
}

/** Id of the last denial of all; 0 for none. */
async function newest({ service }: Scene): Promise<number> {
  const { value } = await service.ask({ path: '/v1/denials', query: { limit: 1 }, answer: denialsAnswer });
  return value.after ?? 0;
}

async function revisionOf(service: ServiceClient): Promise<number> {
  return (await service.ask({ path: '/v1/status', answer: statusAnswer })).value.policy.revision;
}

/** The revision. */
function inForceAfter(service: ServiceClient, revision: number): Promise<number> {
  return until('the edit is in force', async () => {
    const { policy, points } = (await service.ask({ path: '/v1/status', answer: statusAnswer })).value;
    if (policy.held !== null) throw sceneError('the edit is held', `Run \`edgeward accept ${policy.held.revision}\`.`);
    const everywhere = points.every(({ state }) => state === 'current');
    return policy.revision > revision && everywhere ? policy.revision : null;
  });
}

async function why(service: ServiceClient, denial: Denial): Promise<Why> {
  return (await service.ask({ path: `/v1/why/${encodeURIComponent(referenceOf(denial))}`, answer: whyAnswer })).value;
}

function referenceOf({ ref, id }: Denial): string {
  return ref ?? `@${id}`;
}

async function until<T>(what: string, found: () => Promise<T | null>): Promise<T> {
  for (let waitedMs = 0; waitedMs < waitMs; waitedMs += pollMs) {
    const it = await found();
    if (it !== null) return it;
    await sleep(pollMs);
  }
  throw new EdgewardError('EDW_ERR_DEMO', `waiting for ${what}: not within ${waitMs / 1000} s`, {
    mend: 'Run it again; if it stays so, report the output and the machine.',
  });
}

function sceneError(message: string, mend: string): EdgewardError {
  return new EdgewardError('EDW_ERR_REHEARSAL', `rehearsing an incident: ${message}`, { mend });
}
