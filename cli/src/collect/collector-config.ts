/** `edgeward-collector.yaml` as the collector uses it: read, checked, every path absolute. */
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type LedgerPlace, ledgerPlace, type SinksConfig, sinksWithPaths } from '@edgeward/audit-collector';
import { yamlDocuments } from '@edgeward/policy-source';
import {
  EdgewardError,
  loadConfig,
  type MetricsListen,
  messageOf,
  metricsListenOf,
  type TlsFiles,
} from '@edgeward/runtime';
import { type CollectorConfigInput, collectorConfigSchema } from './collector-schema.ts';

export interface CollectorConfig {
  stateDir: string;
  listen: Address;
  tls: TlsFiles;
  senders: ReadonlyMap<string, 'all' | readonly string[]>;
  recordsPerSecond: number;
  api: Address & { tokenFile: string };
  /** null: `api` alone serves them. */
  metrics: MetricsListen | null;
  retainDays: number;
  retainRollupDays: number;
  ledger: LedgerPlace;
  sinks: SinksConfig;
  logLevel: CollectorConfigInput['logLevel'];
}

interface Address {
  host: string;
  port: number;
}

export interface CollectorConfigSource {
  /** Without it `./edgeward-collector.yaml`. */
  file?: string | undefined;
  env?: Record<string, string | undefined>;
}

/** Apart from those of the sync service, which may run on the same machine. */
export const COLLECTOR_ENV_PREFIX = 'EDGEWARD_COLLECTOR_';

/** Throws EDW_ERR_CONFIG with every problem, EDW_ERR_CONFIG_FILE where there is no file to read. */
export async function loadCollectorConfig(source: CollectorConfigSource): Promise<CollectorConfig> {
  const file = source.file ?? 'edgeward-collector.yaml';
  const parsed = loadConfig({
    schema: collectorConfigSchema,
    value: await configValue(file),
    file,
    env: source.env ?? {},
    envPrefix: COLLECTOR_ENV_PREFIX,
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
  // Documents are read into objects without a prototype, which zod does not take for records.
  if (problems.length === 0) return JSON.parse(JSON.stringify(documents[0]?.value ?? {})) as unknown;
  throw new EdgewardError('EDW_ERR_CONFIG', `reading ${problems.join('\n  ')}`, {
    mend: 'Correct what is listed; docs/configuration.md describes every key.',
  });
}

function withPaths(parsed: CollectorConfigInput, base: string): CollectorConfig {
  const { tls, api, metrics, denials, senders, recordsPerSecond, logLevel } = parsed;
  const at = (path: string): string => resolve(base, path);
  const stateDir = at(parsed.stateDir);
  return {
    stateDir,
    listen: addressOf(parsed.listen),
    tls: { certFile: at(tls.certFile), keyFile: at(tls.keyFile), clientCaFile: at(tls.clientCaFile) },
    senders: new Map(Object.entries(senders).map(([name, { points }]) => [name, points])),
    recordsPerSecond,
    api: {
      ...addressOf(api.listen),
      tokenFile: api.tokenFile === undefined ? join(stateDir, 'api-token') : at(api.tokenFile),
    },
    metrics: metrics === undefined ? null : metricsListenOf(metrics, base),
    retainDays: denials.retainDays,
    retainRollupDays: denials.retainRollupDays,
    ledger: ledgerPlace(denials.postgres, stateDir, base),
    sinks: sinksWithPaths(denials.sinks, base),
    logLevel,
  };
}

/** Brackets belong to the text, not to the address. */
function addressOf(listen: string): Address {
  const colon = listen.lastIndexOf(':');
  return { host: listen.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(listen.slice(colon + 1)) };
}
