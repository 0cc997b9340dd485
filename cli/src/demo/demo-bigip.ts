/**
 * The part on a simulated BIG-IP pair: the same policy in data groups, the one change to a virtual server, requests and
 * connections that are judged, their denials over HSL, an edit that touches neither rules nor virtual servers, a failover.
 */
import { Agent } from 'node:http';
import type { SimulatedUnit } from '@edgeward/bigip-simulator';
import { createBigipReview } from '@edgeward/f5-irules';
import { createLogger } from '@edgeward/runtime';
import { type BigipConfig, bigipAccess } from '@edgeward/sync-service';
import type { DemoPair } from './demo-pair.ts';
import { type DemoAnswer, sendRequest } from './demo-requests.ts';
import { type DemoStep, followLedger, requestLine, type Stage, say, shownDenial, until } from './demo-stage.ts';

const virtual = '/Common/vs_orders';
const host = 'orders.example';

const stranger: DemoStep = { who: 'nobody we know', from: '127.0.66.6', host, method: 'GET', path: '/v1/orders/7' };
const crm: DemoStep = { who: 'crm-1, env=prod', from: '127.0.10.4', host, method: 'GET', path: '/v1/orders/7' };
const crmDev: DemoStep = { who: 'crm-dev-1, env=prod', from: '127.0.10.5', host, method: 'GET', path: '/v1/orders/7' };

const steps: readonly DemoStep[] = [
  crm,
  { ...crm, method: 'DELETE' },
  { who: 'a branch office', from: '127.0.30.7', host, method: 'GET', path: '/v1/catalogue/shoes' },
  { who: 'a branch office', from: '127.0.30.7', host, method: 'GET', path: '/v1/orders/7' },
  { who: 'its guest terminal', from: '127.0.30.66', host, method: 'GET', path: '/v1/catalogue/shoes' },
  stranger,
];

export async function showPair(stage: Stage, pair: DemoPair, bigip: BigipConfig): Promise<void> {
  const { context } = stage;
  const { strong, warn } = context.paint;
  await say(stage, `\n${strong('5. The same rules at a BIG-IP pair')}   ${warn('SIMULATED: no BIG-IP is involved')}`);
  await showPush(stage, pair, bigip.name);
  await say(stage, `\n${strong('6. The one change to a virtual server, as `edgeward bigip attach` does it')}`);
  await say(stage, `   ${requestLine(stranger, await sendRequest(pair.front, stranger), context)}   before: all pass`);
  await attach(stage, bigip);
  await say(stage, `\n${strong('7. Connections and requests are judged; denials come over HSL')}`);
  await sendAll(stage, pair, bigip.name);
  await say(stage, `\n${strong('8. Edit one label: rules and virtual servers stay as they are')}`);
  await editLabel(stage, pair, bigip.name);
  await say(stage, `\n${strong('9. Failover: the standby judges by the same policy')}`);
  await failOver(stage, pair, bigip.name);
}

async function showPush(stage: Stage, { simulator }: DemoPair, point: string): Promise<void> {
  const [active, standby] = simulator.units;
  await until('the pair holds the policy', () => isCurrent(stage, point));
  const revision = reportOf(stage, point)?.appliedRevision;
  await say(stage, `   ${active?.name}, active, ${active?.url}; ${standby?.name}, standby, ${standby?.url}`);
  await say(stage, `   revision ${revision} is in force on the active unit and synced, in partition /Edgeward`);
}

async function attach(stage: Stage, bigip: BigipConfig): Promise<void> {
  const logger = createLogger({ level: 'silent' });
  const review = createBigipReview({ name: bigip.name, ...(await bigipAccess(bigip)), logger });
  try {
    const virtuals = [{ fullPath: virtual, protocol: 'http' as const }];
    const { changes } = await review.changeRules({ virtuals, does: 'attach', dryRun: false, force: false });
    for (const { before, after } of changes) {
      await say(stage, `   ${virtual}  before  ${before.join(', ')}`);
      await say(stage, `${' '.repeat(virtual.length + 5)}after   ${after.join(', ')}`);
    }
  } finally {
    await review.close();
  }
}

/** Sends the steps, waits for the ledger to hold their denials, and shows these. */
async function sendAll(stage: Stage, { front }: DemoPair, point: string): Promise<void> {
  const stored = await followLedger(stage, point);
  let expected = 0;
  for (const step of steps) {
    const answer = await sendRequest(front, step);
    const how = answer.status === 0 ? '   at layer 4, before any request is read' : '';
    await say(stage, `   ${requestLine(step, answer, stage.context)}${how}`);
    if (answer.status !== 200) expected += 1;
  }
  for (const denial of await stored(expected)) {
    await stage.context.out.write(`   ${shownDenial(denial, stage.context)}`);
  }
}

/** One connection stays open over the edit: nothing resets it, and its next request is judged anew. */
async function editLabel(stage: Stage, { simulator, front }: DemoPair, point: string): Promise<void> {
  const { context, folder, service } = stage;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const show = (step: DemoStep, answer: DemoAnswer, how: string): Promise<void> =>
    say(stage, `   ${requestLine(step, answer, context)}   ${how}`);
  try {
    await show(crmDev, await sendRequest(front, crmDev, agent), 'on a connection that stays open');
    const stored = await followLedger(stage, point);
    const written = writesOf(simulator.units);
    const revision = reportOf(stage, point)?.appliedRevision ?? 0;
    await folder.relabel('crm-dev-1', 'env: prod', 'env: dev');
    await until('the edit is in force', () => {
      return isCurrent(stage, point) && (reportOf(stage, point)?.appliedRevision ?? 0) > revision;
    });
    await say(stage, '   policies/inventory.yaml: crm-dev-1 from env=prod back to env=dev');
    const step = { ...crmDev, who: 'crm-dev-1, env=dev' };
    await show(step, await sendRequest(front, step, agent), 'the next request on it');
    await show(step, await sendRequest(front, step), 'a new connection');
    await stored(2);
    await say(stage, `   ${written()}`);
    await until('every point was looked at', () => reportOf(stage, point)?.unprotected.length === 0);
    await say(stage, `   ${service.status().headline}, revision ${service.status().policy.revision}`);
  } finally {
    agent.destroy();
  }
}

async function failOver(stage: Stage, { simulator, front }: DemoPair, point: string): Promise<void> {
  const stored = await followLedger(stage, point);
  await simulator.failover();
  await say(stage, `   ${simulator.units[1]?.name} is active now`);
  for (const step of [crm, { ...crm, method: 'DELETE' }, stranger]) {
    await say(stage, `   ${requestLine(step, await sendRequest(front, step), stage.context)}`);
  }
  await stored(2);
  await say(stage, '   both denials are in the ledger');
}

function reportOf({ service }: Stage, point: string) {
  return service.status().points.find((report) => report.point === point);
}

function isCurrent(stage: Stage, point: string): boolean {
  return reportOf(stage, point)?.state === 'current';
}

/** What was written to the units from now on, in words. */
function writesOf(units: readonly SimulatedUnit[]): () => string {
  const seen = units.map((unit) => unit.calls().length);
  return () => {
    const calls = units.flatMap((unit, index) => unit.calls().slice(seen[index]));
    const writes = calls.filter(({ method }) => method !== 'GET').map(({ path }) => path);
    const count = (part: string): number => writes.filter((path) => path.startsWith(`/mgmt/tm/${part}`)).length;
    return `written to data groups: ${count('ltm/data-group')} times; to rules: ${count('ltm/rule')}; to virtual servers: ${count('ltm/virtual')}`;
  };
}
