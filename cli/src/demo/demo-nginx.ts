/** The part on a real NGINX: requests from several addresses, the ledger, an edit that changes the next verdict. */
import type { StoredDenial } from '@edgeward/audit-collector';
import { defaultCacheDir, findNginx } from '@edgeward/nginx-njs';
import { EdgewardError, ensureSecret, type Lifecycle } from '@edgeward/runtime';
import type { ServiceConfig } from '@edgeward/sync-service';
import type { Context } from '../frame/command.ts';
import { type DemoServer, startDemoEdge } from './demo-edge.ts';
import { type DemoFolder, freePort } from './demo-folder.ts';
import { sendRequest } from './demo-requests.ts';
import { type DemoStep, followLedger, requestLine, type Stage, say, shownDenial, until } from './demo-stage.ts';

const servers: readonly DemoServer[] = [
  { host: 'shop.example', bind: 'order-front' },
  { host: 'admin.example', bind: 'admin-front' },
  { host: 'reports.example', bind: 'reports' },
];

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

export interface NginxParts {
  context: Context;
  folder: DemoFolder;
  config: ServiceConfig;
  lifecycle: Lifecycle;
  upstreamPort: number;
}

/** The port that its servers listen on. */
export async function startNginxPart({
  context,
  folder,
  config,
  lifecycle,
  upstreamPort,
}: NginxParts): Promise<number> {
  const onProgress = (message: string): void => void context.err.write(`${message}\n`);
  const binary = await findNginx({ cacheDir: defaultCacheDir(), onProgress });
  const point = config.points[0];
  if (point === undefined)
    throw new EdgewardError('EDW_ERR_UNKNOWN_POINT', 'the example configuration names no point', {
      mend: 'Restore examples/edgeward.yaml.',
    });
  const port = await freePort(8080);
  await ensureSecret(point.tokenFile);
  const nginx = await startDemoEdge({ binary, folder: folder.path, point, port, servers, upstreamPort });
  lifecycle.onClose('nginx', () => nginx.stop());
  return port;
}

/** The same configuration, with where each object is proved: a free port, and a server chosen by its host, nobody could guess. */
export function provedAt(config: ServiceConfig, port: number): ServiceConfig {
  const url = `http://127.0.0.1:${port}`;
  const of = ({ host }: DemoServer) => ({ mode: 'on' as const, url, host, caFile: null });
  const objects = Object.fromEntries(servers.map((server) => [server.bind, of(server)]));
  const points = config.points.map((point) => ({ ...point, proof: { ...point.proof, objects } }));
  return { ...config, points };
}

/** The denials that it led to. */
export async function showNginx(stage: Stage, port: number): Promise<StoredDenial[]> {
  const { context } = stage;
  const { strong } = context.paint;
  await say(stage, strong('2. Requests from several addresses'));
  const denied = await sendAll(stage, port);
  await say(stage, `\n${strong('3. Each denial is in the audit ledger')}`);
  for (const denial of denied) await context.out.write(`   ${shownDenial(denial, context)}`);
  await say(stage, `\n${strong('4. Edit one label; the next request is judged by it, without a reload')}`);
  await editLabel(stage, port);
  return denied;
}

/** Sends the steps and waits for the ledger to hold their denials. */
async function sendAll(stage: Stage, port: number): Promise<StoredDenial[]> {
  const stored = await followLedger(stage, 'edge-1');
  let expected = 0;
  for (const step of steps) {
    const answer = await sendRequest({ host: '127.0.0.1', port }, step);
    await say(stage, `   ${requestLine(step, answer, stage.context)}`);
    // An observed object passes what it would deny; its event has a reference that no client saw.
    if (answer.ref !== null || step.host === 'reports.example') expected += 1;
  }
  return stored(expected);
}

async function editLabel(stage: Stage, port: number): Promise<void> {
  const { context, folder, service } = stage;
  const step: DemoStep = {
    who: 'crm-dev-1, env=prod',
    from: '127.0.10.5',
    host: 'shop.example',
    method: 'GET',
    path: '/v1/orders/7',
  };
  const target = { host: '127.0.0.1', port };
  await folder.relabel('crm-dev-1', 'env: dev', 'env: prod');
  const editedAt = performance.now();
  let answer = await sendRequest(target, step);
  await until('the edit is in force', async () => {
    if (answer.status !== 200) answer = await sendRequest(target, step);
    return answer.status === 200;
  });
  const tookMs = Math.round(performance.now() - editedAt);
  await say(stage, '   policies/inventory.yaml: crm-dev-1 from env=dev to env=prod');
  await say(stage, `   ${requestLine(step, answer, context)}`);
  await say(stage, `   ${tookMs} ms from the file to the verdict, revision ${service.status().policy.revision}`);
}
