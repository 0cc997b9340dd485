/** How sinks are configured: the same keys wherever there is a ledger. Paths are relative to the file that they stand in. */
import { resolve } from 'node:path';
import * as z from 'zod';

export interface SinksInput {
  loki?: LokiInput | undefined;
  collector?: RelayConfig | undefined;
}

interface LokiInput {
  url: string;
  tenant?: string | undefined;
  user?: string | undefined;
  passwordFile?: string | undefined;
  tokenFile?: string | undefined;
  caFile?: string | undefined;
  certFile?: string | undefined;
  keyFile?: string | undefined;
  labels: Record<string, string>;
  backlogHours: number;
  clearText: boolean;
}

/** With every path absolute; null for what is not there. */
export interface SinksConfig {
  loki: LokiConfig | null;
  collector: RelayConfig | null;
}

/** A collector that several services share. */
interface RelayConfig {
  url: string;
  caFile: string;
  certFile: string;
  keyFile: string;
}

export interface LokiConfig {
  /** Of the push itself. */
  url: string;
  tenant: string | null;
  user: string | null;
  passwordFile: string | null;
  tokenFile: string | null;
  caFile: string | null;
  certFile: string | null;
  keyFile: string | null;
  labels: Record<string, string>;
  backlogHours: number;
}

export const NO_SINKS: SinksConfig = { loki: null, collector: null };

const file = z.string().min(1);
const LOOPBACK = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])$/;
/** Of Loki's fifteen, with `job`, `point` and what a store adds left over. */
const mostLabels = 8;
const PUSH_PATH = '/loki/api/v1/push';

const LABEL = /^(?!(job|point)$)[a-zA-Z_][a-zA-Z0-9_]{0,62}$/;

const labelsSchema = z.record(z.string(), z.string().min(1).max(128)).superRefine((labels, context) => {
  const names = Object.keys(labels);
  const refuse = (path: string[], message: string): void => context.addIssue({ code: 'custom', path, message });
  if (names.length > mostLabels) refuse([], `more than ${mostLabels}`);
  for (const name of names) if (!LABEL.test(name)) refuse([name], 'it is job or point, or no name of a label');
});

const lokiSchema: z.ZodType<LokiInput> = z
  .strictObject({
    url: z
      .url({ protocol: /^https?$/ })
      .refine(isPlace, 'no user, query or fragment can stand in it')
      .describe('`https://HOST:3100` of Loki, with a path where it is served below one; `/loki/api/v1/push` is added.'),
    tenant: z
      .string()
      .regex(/^[A-Za-z0-9!_.*'()-]{1,150}$/)
      .optional()
      .describe('Tenant, sent as X-Scope-OrgID.'),
    user: z
      .string()
      .regex(/^[^:]{1,255}$/, 'no colon can stand in it: it would begin the password')
      .optional()
      .describe('User of basic authentication; with `passwordFile`.'),
    passwordFile: file.optional().describe("File with that user's password."),
    tokenFile: file.optional().describe('File with a bearer token, instead of user and password.'),
    caFile: file.optional().describe("PEM authority of Loki's certificate. Default: the system's authorities."),
    certFile: file.optional().describe('PEM certificate for a Loki, or a proxy, that asks for one.'),
    keyFile: file.optional().describe('Its key.'),
    labels: labelsSchema.default({}).describe('Labels of every stream, beside `job` and `point`; at most 8.'),
    backlogHours: z
      .int()
      .min(0)
      .max(87_600)
      .default(24)
      .describe('How far back it begins on a ledger that it has sent nothing of.'),
    clearText: z
      .boolean()
      .default(false)
      .describe('Whether `http://` may be used beyond loopback; everything can be read on the way then.'),
  })
  .superRefine((loki, context) => {
    const refuse = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    if ((loki.user === undefined) !== (loki.passwordFile === undefined)) refuse('user', 'it belongs to passwordFile');
    if (loki.user !== undefined && loki.tokenFile !== undefined) refuse('tokenFile', 'there is a user already');
    if ((loki.certFile === undefined) !== (loki.keyFile === undefined)) refuse('certFile', 'it belongs to keyFile');
    if (!loki.clearText && isClear(loki.url)) refuse('url', 'http:// beyond loopback; use https://, or set clearText');
  });

const relaySchema: z.ZodType<RelayConfig> = z.strictObject({
  url: z
    .url({ protocol: /^https$/ })
    .refine((url) => !URL.canParse(url) || (isPlace(url) && new URL(url).pathname === '/'), 'it is more than a place')
    .describe('`https://HOST:PORT` of the collector.'),
  caFile: file.describe("PEM authority of the collector's certificate."),
  certFile: file.describe('PEM certificate of this service; it names the sender, as in urn:edgeward:point:NAME.'),
  keyFile: file.describe('Its key.'),
});

export const sinksSchema: z.ZodType<SinksInput> = z.strictObject({
  loki: lokiSchema.optional().describe('A Loki that gets every deny event as well.'),
  collector: relaySchema
    .optional()
    .describe('A collector that several services share: it gets every deny event as well.'),
});

/** The pattern has been checked; what can't be parsed is told already. */
function isPlace(url: string): boolean {
  if (!URL.canParse(url)) return true;
  const { username, password, search, hash } = new URL(url);
  return `${username}${password}${search}${hash}` === '';
}

function isClear(url: string): boolean {
  return URL.canParse(url) && new URL(url).protocol === 'http:' && !LOOPBACK.test(new URL(url).hostname);
}

export function sinksWithPaths({ loki, collector }: SinksInput, base: string): SinksConfig {
  return {
    loki: loki === undefined ? null : lokiWithPaths(loki, base),
    collector: collector === undefined ? null : relayWithPaths(collector, base),
  };
}

function relayWithPaths({ url, caFile, certFile, keyFile }: RelayConfig, base: string): RelayConfig {
  const at = (path: string): string => resolve(base, path);
  return { url: new URL(url).origin, caFile: at(caFile), certFile: at(certFile), keyFile: at(keyFile) };
}

function lokiWithPaths(loki: LokiInput, base: string): LokiConfig {
  const at = (path: string | undefined): string | null => (path === undefined ? null : resolve(base, path));
  const { tenant = null, user = null, labels, backlogHours } = loki;
  return {
    url: pushUrl(loki.url),
    ...{ tenant, user, labels, backlogHours },
    passwordFile: at(loki.passwordFile),
    tokenFile: at(loki.tokenFile),
    caFile: at(loki.caFile),
    certFile: at(loki.certFile),
    keyFile: at(loki.keyFile),
  };
}

/** People name the server, its prefix, or the push itself. */
function pushUrl(url: string): string {
  const base = url.replace(/\/+$/, '');
  return base.endsWith(PUSH_PATH) ? base : `${base}${PUSH_PATH}`;
}
