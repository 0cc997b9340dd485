/**
 * `edgeward-forwarder.yaml`: one schema gives the types, the checks and docs/configuration.md. What the file says is given in:
 * nothing is read here. Paths are relative to the file.
 */
import { dirname, resolve } from 'node:path';
import type { BatchTlsFiles } from '@edgeward/deny-log';
import {
  type LogLevel,
  loadConfig,
  type MetricsInput,
  type MetricsListen,
  metricsListenOf,
  metricsSchema,
} from '@edgeward/runtime';
import * as z from 'zod';

export interface ForwarderInput {
  denyLog: string;
  spoolDir: string;
  spoolMaxMb: number;
  logMaxMb: number;
  collector: { url: string } & BatchTlsFiles;
  metrics: MetricsInput;
  logLevel: 'debug' | 'info' | 'warn' | 'error';
}

export interface ForwarderConfig {
  denyLog: string;
  spoolDir: string;
  maxSpoolBytes: number;
  maxUnreadBytes: number;
  collector: { url: string; tls: BatchTlsFiles };
  metrics: MetricsListen;
  logLevel: LogLevel;
}

/** Apart from those of the sync service, which may run on the same machine. */
export const FORWARDER_ENV_PREFIX = 'EDGEWARD_FORWARDER_';

const file = z.string().min(1);

export const forwarderSchema: z.ZodType<ForwarderInput> = z.strictObject({
  denyLog: file
    .default('/var/log/edgeward/deny.log')
    .describe('File that NGINX appends denials to: `$edgeward_deny_log` of http.conf. It is only read.'),
  spoolDir: file
    .default('/var/lib/edgeward-forwarder')
    .describe('Folder for what was read and is not acknowledged yet, and for how far the log was read.'),
  spoolMaxMb: z
    .int()
    .min(8)
    .max(1_000_000)
    .default(256)
    .describe('Megabytes that the spool may have. Beyond, lines wait in the log.'),
  logMaxMb: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(1_024)
    .describe('Megabytes that may wait in the log while the spool is full. Beyond, denials are counted and not kept.'),
  collector: z
    .strictObject({
      url: z
        .url({ protocol: /^https$/ })
        .refine(
          (url) => !URL.canParse(url) || new URL(url).pathname === '/',
          'no more than a host and a port can stand in it',
        )
        .describe('Where batches go: `denials.listen` of the service, as https://HOST:PORT.'),
      caFile: file.describe('PEM authority of the certificate that the service shows.'),
      certFile: file.describe('PEM certificate of this forwarder: it names the point. Read again when it changes.'),
      keyFile: file.describe('Its key.'),
    })
    .describe('The service that takes the denials.'),
  metrics: metricsSchema
    .prefault({ listen: '127.0.0.1:9403' })
    .describe('Metrics of this forwarder, /livez and /readyz.'),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('Least level of the log on stderr.'),
});

const MB = 1024 * 1024;

/** Of environment variables only `EDGEWARD_FORWARDER_…` count. Throws EDW_ERR_CONFIG with every problem. */
export function readForwarderConfig(input: {
  value: unknown;
  file: string;
  env?: Record<string, string | undefined>;
}): ForwarderConfig {
  const parsed = loadConfig({ schema: forwarderSchema, ...input, envPrefix: FORWARDER_ENV_PREFIX });
  const base = dirname(resolve(input.file));
  const at = (path: string): string => resolve(base, path);
  const { url, caFile, certFile, keyFile } = parsed.collector;
  return {
    denyLog: at(parsed.denyLog),
    spoolDir: at(parsed.spoolDir),
    maxSpoolBytes: parsed.spoolMaxMb * MB,
    maxUnreadBytes: parsed.logMaxMb * MB,
    collector: { url, tls: { caFile: at(caFile), certFile: at(certFile), keyFile: at(keyFile) } },
    metrics: metricsListenOf(parsed.metrics, base),
    logLevel: parsed.logLevel,
  };
}
