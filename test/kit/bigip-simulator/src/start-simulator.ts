/** Starts one unit or a pair, with a certificate authority of their own. Whatever fails, nothing is left running. */
import { createLogger, EdgewardError, type Logger, messageOf, systemClock } from '@edgeward/runtime';
import { createCluster } from './cluster/cluster.ts';
import { createDeviceGroup, deviceGroupOf } from './cluster/device-group.ts';
import type { BoxConfig } from './config/box-config.ts';
import { createBoxConfig } from './config/create-box-config.ts';
import { loadRule } from './irule/load-rule.ts';
import { type Authority, createAuthority } from './rest/certificates.ts';
import type { SimulatedUser, Simulator, SimulatorOptions } from './simulator.ts';
import { startDataPlane } from './tmm/data-plane.ts';
import { createUnit, type Unit } from './unit.ts';

const administrator: SimulatedUser = { name: 'admin', password: 'admin', role: 'admin' };
const hostnames = ['bigip-a.example', 'bigip-b.example'];

export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const logger = options.logger ?? createLogger({ level: 'warn' });
  const names = hostnames.slice(0, options.units ?? 1);
  const clock = options.clock ?? systemClock;
  const authority = await createAuthority();
  const configs = names.map((hostname) => createConfig(hostname, names, options));
  const units: Unit[] = [];
  const close = async (): Promise<void> => void (await Promise.all(units.map((unit) => unit.close())));
  try {
    for (const [index, config] of configs.entries()) {
      units.push(await startUnit(index, config, authority, logger, options));
    }
    const syncDelayMs = options.syncDelayMs ?? 50;
    const cluster = createCluster({ members: units.map(({ member }) => member), clock, syncDelayMs });
    for (const [index, seat] of cluster.seats.entries()) await units[index]?.join(seat);
    return { units, ca: authority.cert, failover: cluster.failover, close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

function createConfig(hostname: string, names: readonly string[], options: SimulatorOptions): BoxConfig {
  const now = (): Date => new Date((options.clock ?? systemClock).now());
  const config = createBoxConfig({ version: options.version ?? '17.1.2', loadRule, hostname, now });
  try {
    if (options.config !== undefined) config.merge(options.config);
  } catch (cause) {
    throw new EdgewardError(
      'EDW_ERR_SIMULATOR_CONFIG',
      `loading the configuration of ${hostname}: ${messageOf(cause)}`,
      {
        mend: 'Correct the tmsh text that the simulator was given: it is what `load sys config merge` would refuse.',
        cause,
      },
    );
  }
  if (names.length > 1 && deviceGroupOf(config) === null) createDeviceGroup(config, names);
  config.save();
  return config;
}

async function startUnit(
  index: number,
  config: BoxConfig,
  authority: Authority,
  logger: Logger,
  options: SimulatorOptions,
): Promise<Unit> {
  const hostname = hostnames[index] ?? '';
  const listen = options.listen ?? { host: '127.0.0.1', port: 0 };
  return createUnit({
    hostname,
    config,
    logger,
    users: options.users ?? [administrator],
    clock: options.clock ?? systemClock,
    listen: index === 0 ? listen : { host: listen.host, port: 0 },
    certificate: await authority.issue(hostname),
    rebootMs: options.rebootMs ?? 100,
    taskMs: options.syncDelayMs ?? 50,
    startDataPlane:
      options.dataPlane === false
        ? null
        : (active) =>
            startDataPlane({
              active,
              config,
              loadRule,
              tclsh: options.tclsh ?? 'tclsh',
              tmms: options.tmms ?? 2,
              preface: options.preface ?? false,
              hostname,
              logger,
            }),
  });
}
