/**
 * Where denials pass on their way: a service that hears a forwarder, and may relay to a collector that several services
 * share. Certificates of one authority; everything in the folder of the service's place.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, type Postgres, type TestCertificates, testCertificates } from '@edgeward/test/kit';
import type { ServicePlace } from './running-service.ts';

export interface AuditPlaces {
  /** Given to `edgeward forward --config`, and to `edgeward collect --config`. */
  forwarderFile: string;
  collectorFile: string;
  /** What the forwarder and the collector say of themselves. */
  forwarderUrl: string;
  collectorUrl: string;
}

export interface AuditPlacesOptions {
  place: ServicePlace;
  denyLog: string;
  /** Relay to a collector that keeps what it gets there. */
  central?: Postgres;
  /** More of the forwarder's configuration. */
  forwarder?: object;
  /** More of the service's `denials`. */
  denials?: object;
}

const address = async (): Promise<string> => `127.0.0.1:${await freePort()}`;

/** The point is `edge-1`: its log is where the forwarder is, and the service knows no file. */
export async function prepareAudit(options: AuditPlacesOptions): Promise<AuditPlaces> {
  const { place, denyLog, central } = options;
  const certificates = await testCertificates(join(place.folder, 'certificates'));
  const [service, collector, own] = [await address(), await address(), await address()];
  const [api, forwarderFile, collectorFile] = [await address(), 'edgeward-forwarder.yaml', 'edgeward-collector.yaml'];
  const config = JSON.parse(await readFile(place.configFile, 'utf8'));
  config.points['edge-1'].forwarded = true;
  delete config.points['edge-1'].denyLog;
  const listen = { listen: service, ...(await serverOf(certificates)) };
  const relay =
    central === undefined ? {} : { sinks: { collector: await sender(certificates, 'service-1', collector) } };
  const denials = { listen, ...relay, ...options.denials };
  await writeFile(place.configFile, JSON.stringify({ ...config, denials }));
  const forwarder = {
    ...{ denyLog, spoolDir: 'spool', metrics: { listen: own }, ...options.forwarder },
    collector: await sender(certificates, 'edge-1', service),
  };
  await writeFile(join(place.folder, forwarderFile), JSON.stringify(forwarder));
  if (central !== undefined) {
    const { host, port, database, user, passwordFile } = central;
    const kept = {
      ...{ stateDir: 'central', listen: collector, tls: await serverOf(certificates), api: { listen: api } },
      senders: { 'service-1': { points: ['edge-1'] } },
      denials: { postgres: { host, port, database, user, passwordFile } },
    };
    await writeFile(join(place.folder, collectorFile), JSON.stringify(kept));
  }
  return {
    forwarderFile: join(place.folder, forwarderFile),
    collectorFile: join(place.folder, collectorFile),
    forwarderUrl: `http://${own}`,
    collectorUrl: `http://${api}`,
  };
}

async function serverOf(certificates: TestCertificates): Promise<object> {
  const { certFile, keyFile } = await certificates.server();
  return { certFile, keyFile, clientCaFile: certificates.caFile };
}

async function sender(certificates: TestCertificates, name: string, to: string): Promise<object> {
  const { caFile, certFile, keyFile } = await certificates.point(name);
  return { url: `https://${to}`, caFile, certFile, keyFile };
}
