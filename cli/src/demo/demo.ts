/**
 * The main job on real parts, in a minute: the example policies, a private NGINX, requests from several addresses,
 * their verdicts, the ledger, an edit that changes the next verdict. Nothing outside its own temporary folder changes.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StoredDenial } from '@edgeward/audit-collector';
import { defaultCacheDir, findNginx } from '@edgeward/nginx-njs';
import {
  createLifecycle,
  createLogger,
  EdgewardError,
  ensureSecret,
  type Lifecycle,
  type Logger,
} from '@edgeward/runtime';
import { loadServiceConfig, type Service, type ServiceConfig, startService } from '@edgeward/sync-service';
import type { Command, Context } from '../frame/command.ts';
import { denialLine } from '../service/denial-line.ts';
import { version } from '../version.ts';
import { type DemoServer, startDemoEdge, startUpstream } from './demo-edge.ts';
import { createDemoFolder, type DemoFolder, freePort } from './demo-folder.ts';
import { destinationFile } from './demo-log.ts';
import { type DemoAnswer, type DemoRequest, sendRequest } from './demo-requests.ts';

const servers: readonly DemoServer[] = [
  { host: 'shop.example', bind: 'order-front' },
  { host: 'admin.example', bind: 'admin-front' },
  { host: 'reports.example', bind: 'reports' },
];

interface DemoStep extends DemoRequest {
  who: string;
}

const steps: readonly DemoStep[] = [
  { who: 'crm-1, env=prod', from: '127.0.10.4', host: 'shop.example', method: 'GET', path: '/v1/orders/7' },
  { who: 'crm-1, env=prod', from: '127.0.10.4', host: 'shop.example', method: 'DELETE', path: '/v1/orders/7' },
  { who: 'crm-dev-1, env=dev', from: '127.0.10.5', host: 'shop.example', method: 'GET', path: '/v1/orders/7' },
  { who: 'a branch office', from: '127.0.30.7', host: 'shop.example', method: 'GET', path: '/v1/catalogue/shoes' },
  { who: 'its guest terminal', from: '127.0.30.66', host: 'shop.example', method: 'GET', path: '/v1/catalogue/shoes' },
  { who: 'crm-1, env=prod', from: '127.0.10.4', host: 'shop.example', method: 'GET', path: '/v1/orders/..%2fadmin' },
  { who: 'ops-1', from: '127.0.20.9', host: 'admin.example', method: 'GET', path: '/admin/users' },
  { who: 'ops-1', from: '127.0.20.9', host: 'admin.example', method: 'GET', path: '/admin/export/users' },
  { who: 'nobody we know', from: '127.0.66.6', host: 'reports.example', method: 'GET', path: '/q3.pdf' },
];

const waitMs = 20_000;

export const demo: Command = {
  name: 'demo',
  summary: 'Show the main job on a private NGINX with the example policies.',
  help: {
    examples: [
      { line: 'edgeward demo', says: 'What `npm start` runs; with --once, or without a terminal, it ends by itself.' },
    ],
    usage: ['[--once]'],
    about: [
      'Uses an NGINX with njs 0.8 or newer from PATH, or fetches one without root into a cache folder (13 MB). All else lives in a temporary folder that is removed at the end.',
    ],
    exits: { 0: 'shown', 69: 'no suitable NGINX, and none could be fetched' },
  },
  args: [],
  options: { once: { type: 'boolean', says: 'End after the demonstration instead of showing denials live.' } },
  async run(context) {
    const folder = await createDemoFolder();
    const logger = createLogger({ level: 'info', destination: destinationFile(join(folder.path, 'edgeward.log')) });
    const lifecycle = createLifecycle(logger, { deadlineMs: 8000 });
    lifecycle.onClose('folder', () => folder.remove());
    try {
      await show(context, folder, lifecycle, logger);
    } finally {
      await lifecycle.shutdown('the demonstration ends');
    }
    return 0;
  },
};

async function show(context: Context, folder: DemoFolder, lifecycle: Lifecycle, logger: Logger): Promise<void> {
  const say = (text: string): Promise<void> => context.out.write(`${text}\n`);
  const { strong } = context.paint;
  const config = await loadServiceConfig({ file: folder.configFile });
  const port = await startEdge(context, folder, config, lifecycle);
  const service = await startService({ config, version, logger, lifecycle });
  await until('the policy is in force', () => service.status().points.every((point) => point.state === 'current'));
  await say(`${strong('1. A directory of label policies, compiled and pushed into a running NGINX')}`);
  await say(`   ${service.status().headline}, revision ${service.status().policy.revision}\n`);
  await say(strong('2. Requests from several addresses'));
  const denied = await sendAll(context, port, service);
  await say(`\n${strong('3. Each denial is in the audit ledger')}`);
  for (const denial of denied) await context.out.write(`   ${shownDenial(denial, context)}`);
  await say(`\n${strong('4. Edit one label; the next request is judged by it, without a reload')}`);
  await editLabel(context, folder, port, service);
  if (context.flag('once') || !context.out.isTty) {
    await say(
      '\nRun it in a terminal without --once, and it goes on: edit the policy, send requests, watch the denials.',
    );
    return;
  }
  await say(`\n${strong('Try it')} while this runs`);
  await say(nextSteps(folder, port, denied[0]));
  await say(strong('Denials as they come, until Ctrl-C'));
  service.collector.onDenial((denial) => void context.out.write(`   ${shownDenial(denial, context)}`));
  await lifecycle.ended;
}

async function startEdge(
  context: Context,
  folder: DemoFolder,
  config: ServiceConfig,
  lifecycle: Lifecycle,
): Promise<number> {
  const onProgress = (message: string): void => void context.err.write(`${message}\n`);
  const binary = await findNginx({ cacheDir: defaultCacheDir(), onProgress });
  const point = config.points[0];
  if (point === undefined)
    throw new EdgewardError('EDW_ERR_UNKNOWN_POINT', 'the example configuration names no point', {
      mend: 'Restore examples/edgeward.yaml.',
    });
  const upstream = await startUpstream();
  lifecycle.onClose('upstream', () => upstream.close());
  const port = await freePort(8080);
  await ensureSecret(point.tokenFile);
  const nginx = await startDemoEdge({
    binary,
    folder: folder.path,
    point,
    port,
    servers,
    upstreamPort: upstream.port,
  });
  lifecycle.onClose('nginx', () => nginx.stop());
  return port;
}

/** Sends the steps and waits for the ledger to hold their denials. */
async function sendAll(context: Context, port: number, service: Service): Promise<StoredDenial[]> {
  const before = service.collector.denials({ newest: true, limit: 1 })[0]?.id ?? 0;
  let expected = 0;
  for (const step of steps) {
    const answer = await sendRequest(port, step);
    await context.out.write(`   ${requestLine(step, answer, context)}\n`);
    // An observed object passes what it would deny; its event has a reference that no client saw.
    if (answer.ref !== null || step.host === 'reports.example') expected += 1;
  }
  const found = (): StoredDenial[] => service.collector.denials({ afterId: before });
  await until('the denials are in the ledger', () => found().length >= expected);
  return found();
}

async function editLabel(context: Context, folder: DemoFolder, port: number, service: Service): Promise<void> {
  const step: DemoStep = {
    who: 'crm-dev-1, env=prod',
    from: '127.0.10.5',
    host: 'shop.example',
    method: 'GET',
    path: '/v1/orders/7',
  };
  await folder.edit('inventory.yaml', 'app: crm, role: api, env: dev', 'app: crm, role: api, env: prod');
  const editedAt = performance.now();
  let answer = await sendRequest(port, step);
  await until('the edit is in force', async () => {
    if (answer.status !== 200) answer = await sendRequest(port, step);
    return answer.status === 200;
  });
  const tookMs = Math.round(performance.now() - editedAt);
  await context.out.write(
    `   policies/inventory.yaml: crm-dev-1 from env=dev to env=prod\n   ${requestLine(step, answer, context)}\n`,
  );
  await context.out.write(
    `   ${tookMs} ms from the file to the verdict, revision ${service.status().policy.revision}\n`,
  );
}

function requestLine(step: DemoStep, answer: DemoAnswer, { paint }: Context): string {
  const status = answer.status === 200 ? paint.good('200') : paint.bad(String(answer.status));
  const request = `${step.method} ${step.host}${step.path}`;
  return `${status}  ${step.from.padEnd(12)} ${step.who.padEnd(20)} ${request}`;
}

/** As `edgeward denials` shows it; what a client sent is made harmless there. */
function shownDenial({ event }: StoredDenial, { paint, now }: Context): string {
  return denialLine({ denial: event, count: event.count, since: null }, now(), paint);
}

function nextSteps(folder: DemoFolder, port: number, denial: StoredDenial | undefined): string {
  const config = `--config ${folder.configFile}`;
  return `   curl -i --interface 127.0.10.5 -H 'Host: shop.example' http://127.0.0.1:${port}/v1/orders/7
   edit ${folder.policies}/inventory.yaml (crm-dev-1 back to env: dev), and send it again
   npx edgeward why ${denial?.event.ref ?? 'REF'} ${config}
   npx edgeward status ${config}
   npx edgeward denials --follow ${config}
`;
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
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
