import type { OnDrift } from '@edgeward/enforcement-point';
import * as z from 'zod';
import { type HostsInput, hostsSchema } from './hosts/hosts-schema.ts';
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
  denials: { retainDays: number };
  logLevel: 'debug' | 'info' | 'warn' | 'error';
}

interface NginxInput {
  push: string;
  tokenFile?: string | undefined;
  denyLog?: string | undefined;
  lastKnownFile?: string | undefined;
  onDrift: OnDrift;
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

const pointSchema = z.strictObject({
  push: z
    .url({ protocol: /^http$/, hostname: LOOPBACK })
    .default('http://127.0.0.1:9180')
    .describe('Where http.conf of this NGINX listens for pushes; loopback only.'),
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
  onDrift: z
    .enum(['repair', 'report', 'freeze'])
    .default('repair')
    .describe('What to do when the policy in NGINX was changed by somebody else.'),
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
  for (const key of ['push', 'denyLog', 'lastKnownFile'] as const) {
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
      .default({})
      .describe('NGINX points on this host, by the name that VirtualServer documents give as `point`.'),
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
    denials: z
      .strictObject({
        retainDays: z.int().min(1).max(3650).default(30).describe('Days that a denial is kept in the ledger.'),
      })
      .prefault({}),
    logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('Least level of the log on stderr.'),
  })
  .superRefine(refuseTwins);
