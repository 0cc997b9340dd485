/**
 * A simulated BIG-IP pair that holds what examples/bigip/bigip.conf says: a virtual server of somebody else in front of
 * the demonstration's upstream. It runs in this process and is gone with it; there is no BIG-IP.
 */
import { randomBytes } from 'node:crypto';
import type { Simulator } from '@edgeward/bigip-simulator';
import { findTclsh } from '@edgeward/debian-packages';
import type { Lifecycle, Logger } from '@edgeward/runtime';
import type { Context } from '../frame/command.ts';
import { type DemoFolder, example, freePort } from './demo-folder.ts';
import type { DemoTarget } from './demo-requests.ts';

export interface DemoPair {
  simulator: Simulator;
  /** Where the virtual server takes connections, on whichever unit is active. */
  front: DemoTarget;
}

export interface PairParts {
  context: Context;
  folder: DemoFolder;
  lifecycle: Lifecycle;
  logger: Logger;
  upstreamPort: number;
}

/** As `user` in examples/bigip/edgeward.yaml. */
const user = 'edgeward';
const address = '127.0.80.1';

export async function startDemoPair(parts: PairParts): Promise<DemoPair> {
  const { context, folder, lifecycle, logger, upstreamPort } = parts;
  const progress = (message: string): void => void context.err.write(`${message}\n`);
  const tclsh = await findTclsh({ progress });
  const [frontPort, denialsPort] = [await freePort(8088, address), await freePort(6514)];
  const password = randomBytes(12).toString('base64url');
  // A whole BIG-IP, and what makes its certificates: no other command should wait for it.
  const { startSimulator } = await import('@edgeward/bigip-simulator');
  const simulator = await startSimulator({
    units: 2,
    tclsh,
    logger,
    // Not an administrator: what it needs beyond its partition is the config-sync.
    users: [{ name: user, password, role: 'resource-admin' }],
    config: (await example('bigip/bigip.conf'))
      .replace('127.0.80.1:8088', `${address}:${frontPort}`)
      .replace('127.0.0.1:8090', `127.0.0.1:${upstreamPort}`)
      .replace('127.0.0.1:6514', `127.0.0.1:${denialsPort}`),
  });
  lifecycle.onClose('simulated BIG-IP', () => simulator.close());
  const urls = simulator.units.map(({ url }) => url);
  await folder.addPair({ urls, ca: simulator.ca, password, frontPort, denialsPort });
  return { simulator, front: { host: address, port: frontPort } };
}
