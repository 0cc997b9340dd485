/**
 * A simulated BIG-IP, or a pair, for a test: virtual servers of somebody else on loopback, an own partition, a way for
 * denials, a user that may do what the sync service does. It is gone when the owner is torn down, also after a failure.
 * Nothing is attached to a virtual server before `rules` says so.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SimulatedUnit, type Simulator, type SimulatorOptions, startSimulator } from '@edgeward/bigip-simulator';
import { createBigipReview, createIcontrol, type Icontrol } from '@edgeward/f5-irules';
import { createLogger } from '@edgeward/runtime';
import type { Teardown } from './edge.ts';
import { freePort } from './free-port.ts';
import { privateTclsh } from './real-tclsh.ts';
import { virtualOf } from './virtual-name.ts';

export interface BigipFront {
  protocol: 'http' | 'tcp';
  /** Where what is let through goes, on 127.0.0.1. */
  upstreamPort: number;
}

export interface BigipOptions {
  /** By name: `orders` is /Common/vs_orders. */
  fronts: Record<string, BigipFront>;
  /** Default 1. */
  units?: 1 | 2;
  /** More tmsh text, after the rest. */
  more?: string;
  simulator?: Pick<SimulatorOptions, 'syncDelayMs' | 'rebootMs' | 'version'>;
}

export interface Bigip {
  readonly simulator: Simulator;
  /** The first unit; of a pair the one that is active at first. */
  readonly unit: SimulatedUnit;
  /** On 127.0.0.1, by the fronts' names; the same on whichever unit is active. */
  readonly ports: Record<string, number>;
  /** Where its pool of collectors leads, on 127.0.0.1. */
  readonly denialsPort: number;
  /** What `bigips` of edgeward.yaml says of it, but for `denials`. */
  readonly access: { urls: string[]; user: string; passwordFile: string; caFile: string };
  /** Past the driver, as an administrator would; of the first unit unless said otherwise. */
  admin(unit?: number): Icontrol;
  /** One more client of the service's user, with a token of its own. */
  client(): Icontrol;
  /** What `edgeward bigip attach` and `detach` do, on the active unit, saved and synced. */
  rules(does: 'attach' | 'detach', ...fronts: string[]): Promise<void>;
  /** What was written to its units, in order: `PATCH /mgmt/tm/…`. Logins are none. */
  writes(): string[];
}

const SERVICE_USER = 'edgeward';

export async function startBigip(t: Teardown, options: BigipOptions): Promise<Bigip> {
  const tclsh = await privateTclsh();
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-bigip-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const ports: Record<string, number> = {};
  for (const name of Object.keys(options.fronts)) ports[name] = await freePort();
  const denialsPort = await freePort();
  const logger = createLogger({ level: 'silent' });
  const simulator = await startSimulator({
    ...{ tclsh, logger, syncDelayMs: 10, rebootMs: 20 },
    ...options.simulator,
    units: options.units ?? 1,
    users: [
      { name: 'admin', password: 'admin', role: 'admin' },
      { name: SERVICE_USER, password: SERVICE_USER, role: 'resource-admin' },
    ],
    config: configuration(options, ports, denialsPort),
  });
  t.teardown(() => simulator.close());

  const access = {
    urls: simulator.units.map(({ url }) => url),
    user: SERVICE_USER,
    passwordFile: join(folder, SERVICE_USER),
    caFile: join(folder, 'ca.pem'),
  };
  await writeFile(access.caFile, simulator.ca);
  for (const user of ['admin', SERVICE_USER]) await writeFile(join(folder, user), `${user}\n`, { mode: 0o600 });
  const client = (url: string, user: string): Icontrol => {
    const opened = createIcontrol({ url, user, passwordFile: join(folder, user), ca: simulator.ca, logger });
    t.teardown(() => opened.close());
    return opened;
  };
  const admins = access.urls.map((url) => client(url, 'admin'));

  return {
    simulator,
    unit: itemOf(simulator.units, 0),
    ports,
    denialsPort,
    access,
    admin: (unit = 0) => itemOf(admins, unit),
    client: () => client(itemOf(access.urls, 0), SERVICE_USER),
    async rules(does, ...fronts) {
      const passwordFile = join(folder, 'admin');
      const who = { urls: access.urls, user: 'admin', passwordFile, ca: simulator.ca, logger };
      const review = createBigipReview({ name: 'bigip-1', ...who });
      const virtuals = fronts.map((name) => ({
        fullPath: virtualOf(name),
        protocol: options.fronts[name]?.protocol ?? null,
      }));
      await review.changeRules({ virtuals, does, dryRun: false, force: false }).finally(() => review.close());
    },
    writes: () =>
      simulator.units
        .flatMap((unit) => unit.calls())
        .filter(({ method, path }) => method !== 'GET' && !/^\/mgmt\/shared\/auth[nz]\//.test(path))
        .map(({ method, path }) => `${method} ${path}`),
  };
}

function itemOf<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new Error(`there is no item ${index}`);
  return item;
}

function configuration({ fronts, more = '' }: BigipOptions, ports: Record<string, number>, denials: number): string {
  const virtuals = Object.entries(fronts).map(([name, { protocol, upstreamPort }]) => {
    const http = protocol === 'http' ? '        /Common/http { }\n' : '';
    return `${poolText(`/Common/pool_${name}`, upstreamPort)}ltm virtual ${virtualOf(name)} {
    destination /Common/127.0.0.1:${ports[name]}
    ip-protocol tcp
    mask 255.255.255.255
    pool /Common/pool_${name}
    profiles {
${http}        /Common/tcp { }
    }
}
`;
  });
  return `${virtuals.join('')}auth partition Edgeward { }
${poolText('/Edgeward/eg_collector_pool', denials)}sys log-config destination remote-high-speed-log /Edgeward/eg_hsl {
    pool-name /Edgeward/eg_collector_pool
    protocol tcp
}
sys log-config publisher /Edgeward/eg_audit {
    destinations {
        /Edgeward/eg_hsl { }
    }
}
${more}`;
}

function poolText(name: string, port: number): string {
  return `ltm pool ${name} {
    members {
        /Common/127.0.0.1:${port} {
            address 127.0.0.1
        }
    }
}
`;
}
