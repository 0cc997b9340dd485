/** An NGINX in mode hybrid, served: as in mode live, with a native snapshot beside. */
import { createHybridPoint, forgetSnapshots, type HybridPoint } from '@edgeward/nginx-njs';
import { type Logger, messageOf } from '@edgeward/runtime';
import type { PointConfig } from './config.ts';
import { flagsFolderOf, type NativeConfig } from './nginx-mode-schema.ts';
import { type ServedPoint, type Serving, serveNginx } from './served-point.ts';

type HybridConfig = PointConfig & { native: NativeConfig };

export function isHybrid(config: PointConfig): config is HybridConfig {
  return config.native?.mode === 'hybrid';
}

export async function serveHybrid(
  config: HybridConfig,
  serving: Serving,
): Promise<ServedPoint & { point: HybridPoint }> {
  const { name, push, streamPush, tls, tokenFile, lastKnownFile, native } = config;
  const { logger } = serving;
  const zones = { name, push, streamPush, tls, tokenFile, lastKnownFile, logger };
  const point = createHybridPoint({ ...zones, process: native.process, snapshot: native.snapshot });
  // NGINX includes it, and does not start without.
  await point.prepare();
  return { ...serveNginx(config, serving, point), point, snapshot: point.snapshot };
}

/** Flags of a mode that this point had before. */
export async function forgetHybrid(name: string, logger: Logger): Promise<void> {
  await forgetSnapshots(flagsFolderOf(name)).catch((cause: unknown) =>
    logger.warn(
      { event: 'snapshot_flags_left', point: name, cause: messageOf(cause) },
      'flags of mode hybrid are left',
    ),
  );
}
