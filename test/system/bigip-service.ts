/** A sync service that serves a simulated BIG-IP: its folder, its edgeward.yaml, and what is asked of it again and again. */
import { readFile, writeFile } from 'node:fs/promises';
import type { PointReport } from '@edgeward/sync-service';
import type { Bigip, Teardown } from '@edgeward/test/kit';
import { siteOf } from './bigip-site.ts';
import { preparePlace, type RunningService, type ServicePlace, startAt } from './running-service.ts';
import { eventually, until } from './waiting.ts';

export interface BigipPlaceOptions {
  onDrift?: 'repair' | 'report' | 'freeze';
  /** Default 5, the least: drift, hazards and probes go by it. */
  driftCheckSeconds?: number;
}

export async function placeAt(t: Teardown, box: Bigip, options: BigipPlaceOptions = {}): Promise<ServicePlace> {
  const place = await preparePlace(t, { edges: {}, files: siteOf(box) });
  const config = JSON.parse(await readFile(place.configFile, 'utf8')) as Record<string, unknown>;
  const denials = { listen: `127.0.0.1:${box.denialsPort}`, from: ['127.0.0.0/8'] };
  config.bigips = { 'bigip-1': { ...box.access, driftCheckSeconds: 5, ...options, denials } };
  await writeFile(place.configFile, JSON.stringify(config));
  return place;
}

/** With both fronts attached, as after `edgeward bigip attach`; in force and without a hazard that keeps it from being so. */
export async function startEnforcing(
  t: Teardown,
  box: Bigip,
  options: BigipPlaceOptions = {},
): Promise<RunningService> {
  const it = await startAt(t, await placeAt(t, box, options));
  await until('the policy is in force', async () => (await pointOf(it)).state === 'current');
  await box.rules('attach', 'orders', 'ledger');
  return it;
}

export async function pointOf(it: Pick<RunningService, 'status'>): Promise<PointReport> {
  const point = (await it.status()).points.find((report) => report.point === 'bigip-1');
  if (point === undefined) throw new Error('the service serves no bigip-1');
  return point;
}

/** The status of the point, once it is so. */
export function pointWhen(
  it: Pick<RunningService, 'status'>,
  what: string,
  holds: (point: PointReport) => boolean,
): Promise<PointReport> {
  return eventually(what, async () => {
    const point = await pointOf(it);
    return holds(point) ? point : null;
  });
}
