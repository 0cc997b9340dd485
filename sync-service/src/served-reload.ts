/** An NGINX in reload mode, served: what it is made of comes from the configuration, what it can't say is said here. */
import { createReconciler } from '@edgeward/enforcement-point';
import { createNginxProcess, createReloadPace, createReloadPoint, type ReloadPoint } from '@edgeward/nginx-njs';
import type { PointConfig } from './config.ts';
import type { NativeConfig } from './nginx-mode-schema.ts';
import { applications, type PointHazard, type ServedPoint, type Serving } from './served-point.ts';

type ReloadConfig = PointConfig & { native: NativeConfig };

export function isReload(config: PointConfig): config is ReloadConfig {
  return config.native?.mode === 'reload';
}

export async function serveReload(
  config: ReloadConfig,
  serving: Serving,
): Promise<ServedPoint & { point: ReloadPoint }> {
  const { name, push, streamPush, onDrift, native } = config;
  const { logger } = serving;
  const point = createReloadPoint({
    name,
    push,
    streamPush,
    process: createNginxProcess({ point: name, ...native.process }),
    folder: native.snapshot.folder,
    pace: createReloadPace(native.snapshot),
    keep: native.snapshot.keep,
    logger,
  });
  // NGINX includes it, and does not start without.
  await point.prepare();
  const reconciler = createReconciler({ point, logger, onDrift, onChange: applications(name, serving) });
  return {
    name,
    kind: 'nginx',
    point,
    reconciler,
    // Without njs nothing counts exactly: what is known of denials is their lines.
    counts: null,
    hazards: () => hazardsOf(point),
    host: null,
    snapshot: () => point.snapshot(),
    layOut: (policy) => point.expect(policy),
    close: () => reconciler.close(),
  };
}

function hazardsOf(point: ReloadPoint): PointHazard[] {
  const old = point.oldWorkers();
  if (old === 0) return [];
  const words = `${old === 1 ? 'a worker answers' : `${old} workers answer`} by an older policy, on connections from before the reload`;
  return [
    {
      object: 'NGINX',
      code: 'old-workers',
      words,
      mend: 'They end with their last connection. `worker_shutdown_timeout 10s;` at the top of nginx.conf bounds that.',
    },
  ];
}
