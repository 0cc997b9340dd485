/** What every command about a BIG-IP takes, and how its point is found. */

import { EdgewardError } from '@edgeward/runtime';
import type { BigipConfig, ServiceConfig } from '@edgeward/sync-service';
import { loadServiceConfig } from '@edgeward/sync-service';
import { configOption } from '../config-option.ts';
import type { Context, Option } from '../frame/command.ts';
import { didYouMean } from '../frame/nearest-name.ts';

export const bigipOptions: Record<'point' | 'config', Option> = {
  point: {
    type: 'string',
    value: 'NAME',
    says: 'The point, as edgeward.yaml names it under `bigips`; not needed where it names one.',
  },
  config: configOption,
};

export interface ConfiguredBigip {
  config: ServiceConfig;
  bigip: BigipConfig;
}

/** Throws EDW_ERR_CONFIG, EDW_ERR_CONFIG_FILE and EDW_ERR_UNKNOWN_POINT. */
export async function configuredBigip(context: Context): Promise<ConfiguredBigip> {
  const config = await loadServiceConfig({ file: context.text('config'), env: context.env });
  const [first, second] = config.bigips;
  const only = second === undefined ? first?.name : undefined;
  const name = context.text('point') ?? only ?? context.required('point');
  const bigip = config.bigips.find((it) => it.name === name);
  if (bigip !== undefined) return { config, bigip };
  const known = config.bigips.map((it) => it.name);
  const hint =
    known.length === 0 ? 'Add it under `bigips`.' : `It names ${known.join(', ')}.${didYouMean(name, known)}`;
  throw new EdgewardError('EDW_ERR_UNKNOWN_POINT', `edgeward.yaml names no BIG-IP '${name}'`, { mend: hint });
}
