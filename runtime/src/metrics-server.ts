/**
 * What whoever watches a daemon may ask: metrics, whether it lives, whether it is ready. Plain on loopback; elsewhere over
 * mutual TLS, where every certificate of the authority may read. Nothing else is served here and nothing can be changed,
 * so that a Prometheus on another machine needs no way to any API.
 */
import { resolve } from 'node:path';
import type { Registry } from 'prom-client';
import * as z from 'zod';
import { type HttpAnswer, type HttpRoute, isLoopback } from './http-route.ts';
import { openHttpServer } from './http-server.ts';
import type { Logger } from './logger.ts';
import type { TlsFiles } from './tls-material.ts';
import { openTlsServer } from './tls-server.ts';

/** As a configuration file has it. */
export interface MetricsInput {
  listen: string;
  tls?: TlsFiles | undefined;
}

const LISTEN = /^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:]+\]|localhost):\d{1,5}$/;

/** The key `metrics` of every daemon's configuration. */
export const metricsSchema: z.ZodType<MetricsInput> = z
  .strictObject({
    listen: z
      .string()
      .regex(LISTEN)
      .refine((listen) => URL.canParse(`http://${listen}`), 'no address and port')
      .describe('Address for metrics, /livez and /readyz; beyond loopback only with `tls`.'),
    tls: z
      .strictObject({
        certFile: z.string().min(1).describe('PEM certificate of this listener.'),
        keyFile: z.string().min(1).describe('Its key.'),
        clientCaFile: z
          .string()
          .min(1)
          .describe('PEM authority of those who may read: of the client certificate of Prometheus.'),
      })
      .optional()
      .describe('Mutual TLS.'),
  })
  .superRefine(({ listen, tls }, context) => {
    if (tls !== undefined || isLoopback(hostOf(listen))) return;
    context.addIssue({ code: 'custom', path: ['listen'], message: 'beyond loopback it needs `tls`' });
  });

export interface MetricsListen {
  host: string;
  port: number;
  tls: TlsFiles | null;
}

/** With every path absolute: they are relative to `base`, the folder of the configuration file. */
export function metricsListenOf({ listen, tls }: MetricsInput, base: string): MetricsListen {
  const files =
    tls === undefined
      ? null
      : {
          certFile: resolve(base, tls.certFile),
          keyFile: resolve(base, tls.keyFile),
          clientCaFile: resolve(base, tls.clientCaFile),
        };
  return { host: hostOf(listen), port: Number(listen.slice(listen.lastIndexOf(':') + 1)), tls: files };
}

export interface Watched {
  registry: Registry;
  /** Why it is not ready, on one line; null: it is. */
  notReady(): string | null;
}

export interface MetricsServer {
  readonly url: string;
  /** Lets answers under way finish. */
  close(): Promise<void>;
}

/** `GET /livez`, `/readyz` and `/metrics`, without a token. */
export function watchRoutes({ registry, notReady }: Watched): HttpRoute[] {
  return [
    { method: 'GET', path: '/livez', handle: () => ({ text: 'ok\n' }) },
    { method: 'GET', path: '/readyz', handle: () => readiness(notReady()) },
    {
      method: 'GET',
      path: '/metrics',
      handle: async () => ({ text: await registry.metrics(), contentType: registry.contentType }),
    },
  ];
}

/** Listening when it resolves. Throws EDW_ERR_TLS, EDW_ERR_SECRET_FILE, EDW_ERR_PORT_IN_USE, EDW_ERR_LISTEN. */
export function openMetricsServer(options: Watched & { at: MetricsListen; logger: Logger }): Promise<MetricsServer> {
  const { at, logger } = options;
  const { host, port, tls } = at;
  const routes = watchRoutes(options);
  return tls === null
    ? openHttpServer({ host, port, routes, logger })
    : openTlsServer({
        ...{ host, port, routes, logger, files: tls },
        maxConnections: 64,
        // One watcher that hangs, or hogs, is no reason for another one to see nothing.
        maxConnectionsPerPeer: () => 8,
      });
}

function readiness(why: string | null): HttpAnswer {
  return why === null ? { text: 'ready\n' } : { status: 503, text: `${why}\n` };
}

function hostOf(listen: string): string {
  return listen.slice(0, listen.lastIndexOf(':')).replace(/^\[|\]$/g, '');
}
