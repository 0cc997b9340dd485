/**
 * The main job on real parts, in a minute: the example policies, a private NGINX, requests from several addresses,
 * their verdicts, the ledger, an edit that changes the next verdict; on request the same on a simulated BIG-IP pair.
 * Nothing outside its own temporary folder changes.
 */
import { join } from 'node:path';
import type { StoredDenial } from '@edgeward/audit-collector';
import { createLifecycle, createLogger, type Lifecycle, type Logger } from '@edgeward/runtime';
import { loadServiceConfig, startService } from '@edgeward/sync-service';
import type { Command, Context } from '../frame/command.ts';
import { usageError } from '../frame/usage-error.ts';
import { serviceOptions } from '../service/service-client.ts';
import { version } from '../version.ts';
import { showPair } from './demo-bigip.ts';
import { startUpstream } from './demo-edge.ts';
import { createDemoFolder, type DemoFolder } from './demo-folder.ts';
import { destinationFile } from './demo-log.ts';
import { provedAt, showNginx, startNginxPart } from './demo-nginx.ts';
import { type DemoPair, startDemoPair } from './demo-pair.ts';
import { sendRequest } from './demo-requests.ts';
import { type Stage, say, shownDenial, until } from './demo-stage.ts';
import { rehearseBreak, rehearseMend } from './rehearsal.ts';

export const demo: Command = {
  name: 'demo',
  summary: 'Show the main job on a private NGINX with the example policies.',
  help: {
    examples: [
      { line: 'edgeward demo', says: 'What `npm start` runs; with --once, or without a terminal, it ends by itself.' },
      { line: 'edgeward demo --bigip', says: 'The same, and then on a simulated BIG-IP pair.' },
      {
        line: 'edgeward demo break --config /tmp/edgeward-demo-x/edgeward.yaml',
        says: 'In another terminal, rehearse an incident on the one that runs; `demo mend` finds the cause and the way back.',
      },
    ],
    usage: ['[--once] [--bigip]', 'break --config FILE [--inventory FILE]', 'mend --config FILE [--inventory FILE]'],
    about: [
      '`break` mistypes the label of a consumer in the example policies, which cuts it off, and waits for the denials. `mend` goes from a denial to the cause in three steps, and undoes it. Neither touches policies that are not the example.',
      'Uses an NGINX with njs 0.8 or newer from PATH, or fetches one without root into a cache folder (13 MB). All else lives in a temporary folder that is removed at the end.',
      'The BIG-IP pair is simulated in this process: no BIG-IP is involved, and nothing is said about the speed of one. Its iRules run in a tclsh 8.6 from PATH, or in one that is fetched likewise (3 MB).',
    ],
    exits: {
      0: 'shown',
      3: 'there is nothing to break, or to mend',
      69: 'no suitable NGINX, or with --bigip no tclsh, and none could be fetched',
    },
  },
  args: ['[break | mend]'],
  options: {
    ...serviceOptions,
    once: { type: 'boolean', says: 'End after the demonstration instead of showing denials live.' },
    bigip: { type: 'boolean', says: 'Show a simulated BIG-IP pair too.' },
    inventory: {
      type: 'string',
      value: 'FILE',
      says: 'Of break and mend: where the consumer stands, for a service that follows a store.',
    },
  },
  async run(context) {
    const [scene] = context.args;
    if (scene === 'break') return rehearseBreak(context);
    if (scene === 'mend') return rehearseMend(context);
    if (scene !== undefined) throw usageError(`'${scene}' is no scene of it`, 'demo', 'Write break or mend.');
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
  const upstream = await startUpstream();
  lifecycle.onClose('upstream', () => upstream.close());
  const parts = { context, folder, lifecycle, logger, upstreamPort: upstream.port };
  const pair = context.flag('bigip') ? await startDemoPair(parts) : null;
  const config = await loadServiceConfig({ file: folder.configFile });
  const port = await startNginxPart({ ...parts, config });
  const service = await startService({ config: provedAt(config, port), version, logger, lifecycle });
  const stage = { context, folder, lifecycle, service };
  await showPolicy(stage);
  const denied = await showNginx(stage, port);
  const [bigip] = config.bigips;
  if (pair !== null && bigip !== undefined) await showPair(stage, pair, bigip);
  if (!context.flag('once') && context.out.isTty) return showLive(stage, port, pair, denied[0]);
  await say(
    stage,
    '\nRun it in a terminal without --once, and it goes on: edit the policy, send requests, watch the denials.',
  );
}

async function showPolicy(stage: Stage): Promise<void> {
  const { context, service } = stage;
  await until('the policy is in force', () => service.status().points.every((point) => point.state === 'current'));
  // What a BIG-IP does not enforce yet is known a moment later.
  await until('every point was looked at', () =>
    service.status().points.every(({ kind, unprotected }) => kind === 'nginx' || unprotected.length > 0),
  );
  const where = service.status().points.length > 1 ? 'NGINX and BIG-IP' : 'NGINX';
  await say(
    stage,
    context.paint.strong(`1. A directory of label policies, compiled and pushed into a running ${where}`),
  );
  await say(stage, `   ${service.status().headline}, revision ${service.status().policy.revision}\n`);
}

/** Until a signal ends it. */
async function showLive(
  stage: Stage,
  port: number,
  pair: DemoPair | null,
  denial: StoredDenial | undefined,
): Promise<void> {
  const { context, folder, lifecycle, service } = stage;
  const { strong } = context.paint;
  await say(stage, `\n${strong('Try it')} while this runs`);
  await say(stage, nextSteps(folder, port, pair, denial));
  await say(stage, strong('Denials as they come, until Ctrl-C'));
  lifecycle.onClose('consumer', keepAsking(port));
  service.collector.onDenial((stored) => void context.out.write(`   ${shownDenial(stored, context)}`));
  await lifecycle.ended;
}

/** crm-1 goes on asking for orders while this runs, so that whoever cuts it off sees what that does. */
function keepAsking(port: number): () => void {
  const asked = { from: '127.0.10.4', host: 'shop.example', method: 'GET', path: '/v1/orders/7' };
  const timer = setInterval(() => void sendRequest({ host: '127.0.0.1', port }, asked).catch(() => {}), 2_000);
  return () => clearInterval(timer);
}

function nextSteps(folder: DemoFolder, port: number, pair: DemoPair | null, denial: StoredDenial | undefined): string {
  const config = `--config ${folder.configFile}`;
  const [now, other] = pair === null ? ['prod', 'dev'] : ['dev', 'prod'];
  const atPair =
    pair === null
      ? ''
      : `   curl -i --interface 127.0.10.5 http://${pair.front.host}:${pair.front.port}/v1/orders/7
   npx edgeward bigip verify --point bigip-1 ${config}
`;
  return `   curl -i --interface 127.0.10.5 -H 'Host: shop.example' http://127.0.0.1:${port}/v1/orders/7
${atPair}   edit ${folder.policies}/inventory.yaml (crm-dev-1 from env: ${now} to env: ${other}), and send it again
   npx edgeward why ${denial?.event.ref ?? 'REF'} ${config}
   npx edgeward status ${config}
   npx edgeward denials --follow ${config}
   npx edgeward demo break ${config}
   npx edgeward demo mend ${config}
`;
}
