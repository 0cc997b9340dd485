import { type PostgresInput, postgresSchema, type SinksInput, sinksSchema } from '@edgeward/audit-collector';
import type { OnDrift } from '@edgeward/enforcement-point';
import { type MetricsInput, metricsSchema } from '@edgeward/runtime';
import * as z from 'zod';
import { type HostsInput, hostsSchema } from './hosts/hosts-schema.ts';
import { type NginxModeInput, nginxModeShape, refuseDistant } from './nginx-mode-schema.ts';
import { type ProofInput, proofSchema } from './proof/proof-schema.ts';
import { type StoreInput, storeSchema } from './store/store-schema.ts';

/** What the schema makes of a file: defaults filled in, paths as they were written. */
export interface ConfigInput {
  policies: string;
  store?: StoreInput | undefined;
  stateDir: string;
  points: Record<string, NginxInput>;
  bigips: Record<string, BigipInput>;
  hosts?: HostsInput | undefined;
  api: { listen: string; tokenFile?: string | undefined };
  metrics?: MetricsInput | undefined;
  denials: {
    retainDays: number;
    retainRollupDays: number;
    listen?: ForwardersInput | undefined;
    postgres?: PostgresInput | undefined;
    sinks: SinksInput;
  };
  logLevel: 'debug' | 'info' | 'warn' | 'error';
}

/** Where forwarders send. */
interface ForwardersInput {
  listen: string;
  certFile: string;
  keyFile: string;
  clientCaFile: string;
  recordsPerSecond: number;
}

interface NginxInput extends NginxModeInput {
  push: string;
  streamPush?: string | undefined;
  caFile?: string | undefined;
  certFile?: string | undefined;
  keyFile?: string | undefined;
  tokenFile?: string | undefined;
  denyLog?: string | undefined;
  lastKnownFile?: string | undefined;
  forwarded: boolean;
  onDrift: OnDrift;
  proof: ProofInput;
}

export interface BigipInput {
  urls: string[];
  user: string;
  passwordFile?: string | undefined;
  caFile?: string | undefined;
  onDrift: OnDrift;
  driftCheckSeconds: number;
  syncOthersChanges: boolean;
  denials?: DenialsInput | undefined;
}

interface DenialsInput {
  listen: string;
  from: string[];
  tls?: { certFile: string; keyFile: string; clientCaFile: string } | undefined;
}

/** `edgeward.yaml`: one schema gives the types, the checks and docs/configuration.md. Paths are relative to the file. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** The URL parser has refused numbers above 255 before this is asked. */
const LOOPBACK = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])$/;
const LISTEN = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\]):\d{1,5}$/;

const pushTlsFile = (says: string): z.ZodOptional<z.ZodString> => z.string().min(1).optional().describe(says);

const pointSchema = z.strictObject({
  push: z
    .url({ protocol: /^https?$/ })
    .refine(isPushAddress, 'http is for loopback alone; https://HOST:PORT leads to any other place')
    .default('http://127.0.0.1:9180')
    .describe('Where http.conf of this NGINX listens for pushes; beyond loopback https, by mutual TLS.'),
  streamPush: z
    .url({ protocol: /^(tcp|tls)$/ })
    .refine(isStreamPush, 'tcp is for loopback alone; tls://HOST:PORT leads to any other place')
    .optional()
    .describe(
      'Where stream.conf of this NGINX listens, `tcp://127.0.0.1:9181`; beyond loopback tls. Without it no connections are judged there.',
    ),
  caFile: pushTlsFile('PEM authority of the certificate that NGINX shows. With https alone.'),
  certFile: pushTlsFile('PEM certificate whose subject push-tls.conf of this NGINX names.'),
  keyFile: pushTlsFile('Its key.'),
  tokenFile: z
    .string()
    .min(1)
    .optional()
    .describe('File with the push token, shared with NGINX. Default: STATEDIR/points/NAME/push-token.'),
  denyLog: z
    .string()
    .min(1)
    .optional()
    .describe('File that NGINX appends denials to. Default: STATEDIR/points/NAME/deny.log.'),
  lastKnownFile: z
    .string()
    .min(1)
    .optional()
    .describe('File that NGINX loads after a start. Default: STATEDIR/points/NAME/last-known.'),
  forwarded: z
    .boolean()
    .default(false)
    .describe(
      'Whether its deny log is on another machine, where a forwarder follows it and sends to `denials.listen`.',
    ),
  onDrift: z
    .enum(['repair', 'report', 'freeze'])
    .default('repair')
    .describe('What to do when the policy in NGINX was changed by somebody else.'),
  ...nginxModeShape,
  proof: proofSchema.prefault({}).describe('Proof that it is enforced: [proof.md](proof.md).'),
});

const bigipSchema: z.ZodType<BigipInput> = z.strictObject({
  urls: z
    .array(z.url({ protocol: /^https$/ }).refine(isBareAddress, 'no more than a host and a port can stand in it'))
    .min(1)
    .max(2)
    .refine((urls) => new Set(urls.map(originOf)).size === urls.length, 'it names one unit twice')
    .describe('Management addresses: one, or both of a pair; policy is written to the active one.'),
  user: z.string().min(1).max(255).describe('User of iControl REST; docs/bigip.md lists what it must be allowed.'),
  passwordFile: z
    .string()
    .min(1)
    .optional()
    .describe("File with that user's password. Default: STATEDIR/points/NAME/password."),
  caFile: z
    .string()
    .min(1)
    .optional()
    .describe("PEM file with the authority of the management certificates. Default: the system's authorities."),
  onDrift: z
    .enum(['repair', 'report', 'freeze'])
    .default('repair')
    .describe('What to do when the policy on the BIG-IP was changed by somebody else.'),
  driftCheckSeconds: z.int().min(5).max(86_400).default(60).describe('How often the whole policy is looked at.'),
  syncOthersChanges: z
    .boolean()
    .default(false)
    .describe("Whether a config-sync may carry pending changes that are somebody else's."),
  denials: z
    .strictObject({
      listen: z
        .string()
        .regex(/^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:]+\]|localhost):\d{1,5}$/)
        .refine(isAddress, 'no address and port')
        .describe('Address for the syslog that the iRules send; beyond loopback only with `tls`.'),
      from: z
        .array(z.string().min(1))
        .min(1)
        .describe('Addresses or CIDRs that this BIG-IP sends from; any other is closed and counted.'),
      tls: z
        .strictObject({
          certFile: z.string().min(1).describe('PEM certificate of this listener.'),
          keyFile: z.string().min(1).describe('Its key.'),
          clientCaFile: z.string().min(1).describe("PEM authority of the BIG-IP's client certificate."),
        })
        .optional()
        .describe('Mutual TLS.'),
    })
    .optional()
    .describe('Where denials of this BIG-IP arrive; without it they are not recorded.'),
});

/** The pattern says what it looks like; the URL parser knows which numbers there are. */
function isAddress(listen: string): boolean {
  return URL.canParse(`http://${listen}`);
}

/** A user, a path or a query would be dropped without a word: the user stands in `user`, and the rest is ours. */
function isBareAddress(url: string): boolean {
  if (!URL.canParse(url)) return true; // that is told already
  const { username, password, pathname, search, hash } = new URL(url);
  return `${username}${password}${search}${hash}` === '' && pathname === '/';
}

function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : url;
}

function isPushAddress(url: string): boolean {
  if (!URL.canParse(url)) return true; // that is told already
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' ? isBareAddress(url) : LOOPBACK.test(hostname);
}

/** `tcp://127.0.0.1:9181`. Read as if it were http, whose hosts are looked at more closely; these have no port of their own. */
function isStreamPush(url: string): boolean {
  if (!URL.canParse(url)) return true; // that is told already
  const asHttp = url.replace(/^t(cp|ls):/, 'http:');
  if (!/:\d+\/?$/.test(url) || !URL.canParse(asHttp) || !isBareAddress(asHttp)) return false;
  return url.startsWith('tls:') || LOOPBACK.test(new URL(asHttp).hostname);
}

/** Two points at one address would replace each other's policy for ever. */
function refuseSharedAddresses(bigips: Record<string, BigipInput>, context: z.RefinementCtx): void {
  const owners = new Map<string, string>();
  for (const [name, { urls }] of Object.entries(bigips)) {
    for (const [index, url] of urls.entries()) {
      const owner = owners.get(originOf(url)) ?? name;
      owners.set(originOf(url), owner);
      if (owner === name) continue;
      const message = `${owner} has the same address; one BIG-IP, or one pair, is one point`;
      context.addIssue({ code: 'custom', path: [name, 'urls', index], message });
    }
  }
}

/** One name means one point, of whatever kind. */
function refuseTwins({ points, bigips, hosts }: Kinds, context: z.RefinementCtx): void {
  const refuse = (path: string[], kind: string): void =>
    context.addIssue({ code: 'custom', path, message: `a point of this name is ${kind} already` });
  for (const name of Object.keys(bigips)) if (Object.hasOwn(points, name)) refuse(['bigips', name], 'an NGINX');
  for (const name of Object.keys(hosts?.points ?? {})) {
    if (Object.hasOwn(points, name)) refuse(['hosts', 'points', name], 'an NGINX');
    else if (Object.hasOwn(bigips, name)) refuse(['hosts', 'points', name], 'a BIG-IP');
  }
}

type Kinds = {
  points: Record<string, unknown>;
  bigips: Record<string, unknown>;
  hosts?: { points: Record<string, unknown> } | undefined;
};

/** Two points that share one of these would undo each other, or count each other's denials. */
function refuseShared(points: Record<string, NginxInput>, context: z.RefinementCtx): void {
  for (const key of ['push', 'streamPush', 'denyLog', 'lastKnownFile'] as const) {
    const owners = new Map<string, string>();
    for (const [name, point] of Object.entries(points)) {
      const value = point[key];
      if (value === undefined) continue;
      const owner = owners.get(value);
      owners.set(value, owner ?? name);
      if (owner === undefined) continue;
      context.addIssue({
        code: 'custom',
        path: [name, key],
        message: `${owner} has the same; give each point its own`,
      });
    }
  }
}

/** A push in clear has no use for a certificate, and one over TLS can't go without. */
function refuseHalfTls(points: Record<string, NginxInput>, context: z.RefinementCtx): void {
  for (const [name, point] of Object.entries(points)) {
    const tls = point.push.startsWith('https:');
    for (const key of ['caFile', 'certFile', 'keyFile'] as const) {
      if ((point[key] !== undefined) === tls) continue;
      const message = tls ? '`push` is https, which needs it' : '`push` is http, which has no use for it';
      context.addIssue({ code: 'custom', path: [name, key], message });
    }
    if (point.streamPush === undefined || point.streamPush.startsWith('tls:') === tls) continue;
    const message = tls ? '`push` is https, so this is tls' : '`push` is http, so this is tcp';
    context.addIssue({ code: 'custom', path: [name, 'streamPush'], message });
  }
}

const forwardersSchema: z.ZodType<ForwardersInput> = z.strictObject({
  listen: z
    .string()
    .regex(/^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:]+\]|localhost):\d{1,5}$/)
    .refine(isAddress, 'no address and port')
    .default('0.0.0.0:9443')
    .describe('Address that forwarders send to; mutual TLS.'),
  certFile: z.string().min(1).describe('PEM certificate of this listener; read again when it changes.'),
  keyFile: z.string().min(1).describe('Its key.'),
  clientCaFile: z
    .string()
    .min(1)
    .describe('PEM authority of the certificates of forwarders, each of which names its point.'),
  recordsPerSecond: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(20_000)
    .describe('Records that one forwarder may bring a second over time. More waits there.'),
});

/** Denials that are sent to nobody would wait on that machine for ever. */
function refuseDeaf(
  config: { points: Record<string, NginxInput>; denials: { listen?: unknown } },
  context: z.RefinementCtx,
): void {
  if (config.denials.listen !== undefined) return;
  for (const [name, { forwarded }] of Object.entries(config.points)) {
    const message = 'forwarders need `denials.listen`, where they send to';
    if (forwarded) context.addIssue({ code: 'custom', path: ['points', name, 'forwarded'], message });
  }
}

/** For docs/configuration.md and editors. */
export const serviceSchema: z.ZodType<ConfigInput> = z
  .strictObject({
    policies: z
      .string()
      .min(1)
      .default('policies')
      .describe('Folder of policy documents, read recursively and watched. Not read where `store` is given.'),
    store: storeSchema.optional().describe('A central store instead of the folder.'),
    stateDir: z
      .string()
      .min(1)
      .default('/var/lib/edgeward')
      .describe('Folder for what must survive a restart: last-known-good policy, revision floor, ledger.'),
    points: z
      .record(z.string().regex(NAME), pointSchema)
      .superRefine(refuseShared)
      .superRefine(refuseHalfTls)
      .superRefine(refuseDistant)
      .default({})
      .describe('NGINX points, by the name that VirtualServer documents give as `point`.'),
    bigips: z
      .record(z.string().regex(NAME), bigipSchema)
      .superRefine(refuseSharedAddresses)
      .default({})
      .describe('BIG-IP points, by the name that VirtualServer documents give as `point`.'),
    hosts: hostsSchema.optional().describe('Hosts behind no balancer, each with an agent that calls.'),
    api: z
      .strictObject({
        listen: z
          .string()
          .regex(LISTEN)
          .refine(isAddress, 'no address and port of loopback')
          .default('127.0.0.1:9400')
          .describe('Address of the status API and metrics; loopback only.'),
        tokenFile: z
          .string()
          .min(1)
          .optional()
          .describe('File with the token of the status API; created when missing. Default: STATEDIR/api-token.'),
      })
      .prefault({}),
    metrics: metricsSchema
      .optional()
      .describe('Metrics for a Prometheus elsewhere; on this machine `api` serves them too.'),
    denials: z
      .strictObject({
        retainDays: z.int().min(1).max(3650).default(30).describe('Days that a denial is kept in the ledger.'),
        retainRollupDays: z
          .int()
          .min(1)
          .max(3650)
          .default(400)
          .describe('Days that counts by minute and hour are kept, and who was denied where.'),
        listen: forwardersSchema
          .optional()
          .describe('Where forwarders of NGINX on other machines send: [forwarder.md](forwarder.md).'),
        postgres: postgresSchema
          .optional()
          .describe('A PostgreSQL server that holds the ledger; without one it is files in STATEDIR.'),
        sinks: sinksSchema.prefault({}).describe('Where deny events go beside the ledger.'),
      })
      .prefault({}),
    logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('Least level of the log on stderr.'),
  })
  .superRefine(refuseTwins)
  .superRefine(refuseDeaf);
