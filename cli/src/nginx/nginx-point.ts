/** The point that a command about an NGINX is for. */
import type { CompiledPolicy } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import { loadServiceConfig, type PointConfig, type ServiceConfig } from '@edgeward/sync-service';
import { readPointPolicy } from '../bigip/point-policy.ts';
import type { Context } from '../frame/command.ts';

export function pointNamed(points: PointConfig[], name: string): PointConfig {
  const point = points.find((it) => it.name === name);
  if (point !== undefined) return point;
  const known = points.map((it) => it.name).join(', ');
  throw new EdgewardError('EDW_ERR_UNKNOWN_POINT', `edgeward.yaml names no point '${name}'`, {
    mend: known === '' ? 'Add it under `points`.' : `Use one of: ${known}.`,
  });
}

export interface ConfiguredPoint {
  config: ServiceConfig;
  point: PointConfig;
}

/**
 * null: neither --config nor --point was given, and nothing is asked of a configuration. Throws EDW_ERR_CONFIG,
 * EDW_ERR_CONFIG_FILE, EDW_ERR_UNKNOWN_POINT.
 */
export async function configuredPoint(context: Context): Promise<ConfiguredPoint | null> {
  if (context.text('config') === undefined && context.text('point') === undefined) return null;
  const config = await loadServiceConfig({ file: context.text('config'), env: context.env });
  const [first, second] = config.points;
  const only = second === undefined ? first?.name : undefined;
  const point = pointNamed(config.points, context.text('point') ?? only ?? context.required('point'));
  return { config, point };
}

/** `refused`: the policy has errors and they have been printed; the command ends with 3. */
type KnownPolicy = { state: 'known'; policy: CompiledPolicy } | { state: 'unknown' } | { state: 'refused' };

/** Of the policy directory; what a central store publishes is not asked for, and that is said. */
export async function policyOf(context: Context, configured: ConfiguredPoint | null): Promise<KnownPolicy> {
  if (configured === null) return { state: 'unknown' };
  const { config, point } = configured;
  if (config.store !== null) {
    await context.err.write('The policy of this point comes from a store, which is not asked: no policy was read.\n');
    return { state: 'unknown' };
  }
  const own = await readPointPolicy(context, config, point.name);
  return own === null ? { state: 'refused' } : { state: 'known', policy: own.policy };
}
