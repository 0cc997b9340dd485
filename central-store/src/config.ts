import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { yamlDocuments } from '@edgeward/policy-source';
import {
  EdgewardError,
  loadConfig,
  type MetricsListen,
  messageOf,
  metricsListenOf,
  type TlsFiles,
} from '@edgeward/runtime';
import { type StoreConfigInput, storeConfigSchema } from './config-schema.ts';
import type { RolloutConfig } from './rollout/index.ts';
import type { RateLimits } from './serving/index.ts';

/** `edgeward-store.yaml` as the store uses it: read, checked, every path absolute. */
export interface StoreServiceConfig {
  stateDir: string;
  inventory: string;
  listen: Address;
  tls: TlsFiles;
  metrics: MetricsListen;
  headMs: number;
  rateLimits: RateLimits;
  rollout: RolloutConfig;
  nats: NatsConfig | null;
  logLevel: StoreConfigInput['logLevel'];
}

export interface Address {
  host: string;
  port: number;
}

export interface NatsConfig {
  servers: string[];
  credentialsFile: string;
  caFile: string | null;
  certFile: string | null;
  keyFile: string | null;
  replicas: number;
}

export interface StoreConfigSource {
  /** Without it `./edgeward-store.yaml`. */
  file?: string | undefined;
  env?: Record<string, string | undefined>;
  flags?: Record<string, unknown>;
}

/** Apart from those of the sync service, which may run on the same machine. */
const ENV_PREFIX = 'EDGEWARD_STORE_';

/** Throws EDW_ERR_CONFIG with every problem, EDW_ERR_CONFIG_FILE where there is no file to read. */
export async function loadStoreConfig(source: StoreConfigSource): Promise<StoreServiceConfig> {
  const file = source.file ?? 'edgeward-store.yaml';
  const parsed = loadConfig({
    schema: storeConfigSchema,
    value: await configValue(file),
    file,
    env: source.env ?? {},
    envPrefix: ENV_PREFIX,
    flags: source.flags ?? {},
  });
  return withPaths(parsed, dirname(resolve(file)));
}

async function configValue(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    const message = `reading the configuration (${file}): ${messageOf(cause)}`;
    throw new EdgewardError('EDW_ERR_CONFIG_FILE', message, { mend: 'Name the file with --config.', cause });
  });
  const { documents, findings } = yamlDocuments(text, file);
  const problems = findings.map(({ line, column, message }) => `${file}:${line}:${column}: ${message}`);
  if (documents.length > 1) problems.push(`${file}: there is more than one document`);
  if (problems.length === 0) return JSON.parse(JSON.stringify(documents[0]?.value ?? {})) as unknown;
  throw new EdgewardError('EDW_ERR_CONFIG', `reading ${problems.join('\n  ')}`, {
    mend: 'Correct what is listed; docs/configuration.md describes every key.',
  });
}

function withPaths(parsed: StoreConfigInput, base: string): StoreServiceConfig {
  const at = (path: string): string => resolve(base, path);
  const { tls, nats } = parsed;
  return {
    stateDir: at(parsed.stateDir),
    inventory: at(parsed.inventory),
    listen: addressOf(parsed.listen),
    tls: { certFile: at(tls.certFile), keyFile: at(tls.keyFile), clientCaFile: at(tls.clientCaFile) },
    metrics: metricsListenOf(parsed.metrics, base),
    headMs: parsed.headHours * 3_600_000,
    rateLimits: parsed.rateLimits,
    rollout: parsed.rollout,
    nats:
      nats === undefined
        ? null
        : {
            servers: nats.servers,
            credentialsFile: at(nats.credentialsFile),
            caFile: nats.caFile === undefined ? null : at(nats.caFile),
            certFile: nats.certFile === undefined ? null : at(nats.certFile),
            keyFile: nats.keyFile === undefined ? null : at(nats.keyFile),
            replicas: nats.replicas,
          },
    logLevel: parsed.logLevel,
  };
}

/** Brackets belong to the text, not to the address. */
function addressOf(listen: string): Address {
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(listen) ?? [];
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}
