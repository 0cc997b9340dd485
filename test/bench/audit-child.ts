/**
 * A collector in a process of its own, so that what it costs is its own: a listener for HSL, one for batches, or a log.
 * Options come as the first argument. It says where it listens, then how many are stored whenever it is asked.
 */
import { identityOf } from '@edgeward/certificates';
import { createLogger, createMetrics, systemClock } from '@edgeward/runtime';
import { type BatchListener, openBatchListener } from '../../audit-collector/src/batches/batch-listener.ts';
import type { Labels } from '../../audit-collector/src/deny-event.ts';
import { createCollector } from '../../audit-collector/src/index.ts';
import type { LedgerPlace } from '../../audit-collector/src/ledger/open-ledger.ts';

export interface AuditChildOptions {
  ledger: LedgerPlace;
  /** Of the server of batches; null: none. */
  batches: { files: { certFile: string; keyFile: string; clientCaFile: string }; port: number } | null;
  log: string | null;
}

export interface AuditChildReady {
  hsl: number;
  batches: string | null;
}

/** A table of 256 workloads in place of a policy, which the sync service looks sources up in. */
export const benchLabels: Labels = {
  source: (_, address, revision) => {
    const [, , third = '0', fourth = '0'] = address.split('.');
    const workload = (Number(third) * 7 + Number(fourth)) % 256;
    return {
      workloads: [`crm-${workload}`],
      networks: [],
      labels: { app: `app-${workload % 40}`, env: workload % 5 === 0 ? 'dev' : 'prod' },
      revision,
    };
  },
  object: (_, bind) => ({ name: bind, labels: { app: 'shop', role: bind } }),
  nearest: () => ({ nearestRule: 'crm-orders', missed: 'source' }),
};

if (process.send !== undefined) await serve(JSON.parse(process.argv[2] ?? '{}') as AuditChildOptions);

async function serve({ ledger, batches, log }: AuditChildOptions): Promise<void> {
  const [logger, registry] = [createLogger({ level: 'error' }), createMetrics({ processMetrics: false })];
  const collector = await createCollector({
    ...{ ledger, labels: benchLabels, logger, registry },
    logs: log === null ? [] : [{ point: 'edge-1', file: log }],
    listeners: [{ point: 'big-1', listen: { host: '127.0.0.1', port: 0 }, from: ['127.0.0.1'] }],
  });
  let listener: BatchListener | null = null;
  if (batches !== null)
    listener = await openBatchListener({
      ...{ listen: { host: '127.0.0.1', port: batches.port }, files: batches.files, intake: collector },
      senders: new Map([['edge-1', ['edge-1']]]),
      nameOf: (peer) => identityOf(peer).points[0] ?? null,
      recordsPerSecond: 10_000_000,
      ...{ registry, logger, clock: systemClock },
    });
  await collector.start();
  const stored = (): number =>
    [...collector.status(), ...collector.listeners(), ...collector.spools()].reduce((sum, it) => sum + it.stored, 0);
  process.on('message', () => process.send?.(stored()));
  process.once('disconnect', () => process.exit());
  const ready: AuditChildReady = {
    hsl: collector.listeners()[0]?.listen.port ?? 0,
    batches: listener?.url ?? null,
  };
  process.send?.(ready);
}
