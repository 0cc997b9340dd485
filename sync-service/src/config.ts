import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { yamlDocuments } from '@edgeward/policy-source';
import { EdgewardError, loadConfig, messageOf, systemCodeOf } from '@edgeward/runtime';
import * as z from 'zod';

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
    .enum(['repair', 'report'])
    .default('repair')
    .describe('What to do when the policy in NGINX was changed by somebody else.'),
});

/** The pattern says what it looks like; the URL parser knows which numbers there are. */
function isAddress(listen: string): boolean {
  return URL.canParse(`http://${listen}`);
}

/** Two points that share one of these would undo each other, or count each other's denials. */
function refuseShared(points: Record<string, z.infer<typeof pointSchema>>, context: z.RefinementCtx): void {
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

const schema = z.strictObject({
  policies: z.string().min(1).default('policies').describe('Folder of policy documents, read recursively and watched.'),
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
});

/** For docs/configuration.md and editors. */
export const serviceSchema: z.ZodType = schema;

export interface PointConfig {
  name: string;
  push: string;
  tokenFile: string;
  denyLog: string;
  lastKnownFile: string;
  onDrift: 'repair' | 'report';
}

/** The configuration with every path absolute. */
export interface ServiceConfig {
  policies: string;
  stateDir: string;
  points: PointConfig[];
  api: { host: string; port: number; tokenFile: string };
  retainDays: number;
  logLevel: 'debug' | 'info' | 'warn' | 'error';
}

export interface ServiceConfigInput {
  /** Without it `./edgeward.yaml`, then `/etc/edgeward/edgeward.yaml`. */
  file?: string | undefined;
  env?: Record<string, string | undefined>;
  flags?: Record<string, unknown>;
}

/** Variables that other parts of Edgeward read and that are no configuration of the service. */
const OTHER_ENV = ['EDGEWARD_CACHE', 'EDGEWARD_RUNS', 'EDGEWARD_SEED', 'EDGEWARD_TEST_FETCH'];

/** Throws EDW_ERR_CONFIG with every problem, EDW_ERR_CONFIG_FILE where there is no file to read. */
export async function loadServiceConfig(input: ServiceConfigInput): Promise<ServiceConfig> {
  const { file, text } = await readConfigFile(input.file);
  const parsed = loadConfig({
    schema,
    value: configValue(text, file),
    file,
    env: input.env ?? {},
    otherEnv: OTHER_ENV,
    flags: input.flags ?? {},
  });
  return withPaths(parsed, dirname(resolve(file)));
}

async function readConfigFile(given: string | undefined): Promise<{ file: string; text: string }> {
  const candidates = given === undefined ? ['edgeward.yaml', '/etc/edgeward/edgeward.yaml'] : [given];
  let cause: unknown;
  for (const file of candidates) {
    try {
      return { file, text: await readFile(file, 'utf8') };
    } catch (thrown) {
      cause = thrown;
      // One that is there and can't be read must not silently give way to another.
      if (systemCodeOf(thrown) !== 'ENOENT') break;
    }
  }
  throw new EdgewardError(
    'EDW_ERR_CONFIG_FILE',
    `reading the configuration (${candidates.join(', then ')}): ${messageOf(cause)}`,
    {
      mend: 'Name the file with --config, or write edgeward.yaml; examples/edgeward.yaml is a start.',
      cause,
    },
  );
}

function configValue(text: string, file: string): unknown {
  const { documents, findings } = yamlDocuments(text, file);
  const problems = findings.map(({ line, column, message }) => `${file}:${line}:${column}: ${message}`);
  const second = documents[1]?.locate([]);
  if (second !== undefined) problems.push(`${file}:${second.line}:1: there is more than one document`);
  if (problems.length === 0) return plain(documents[0]?.value);
  throw new EdgewardError('EDW_ERR_CONFIG', `reading ${problems.join('\n  ')}`, {
    mend: findings[0]?.mend ?? 'Keep one document: what follows `---` would not be read.',
  });
}

/** Documents are read into objects without a prototype, which zod does not take for records. */
function plain(value: unknown): unknown {
  return value === undefined || value === null ? {} : (JSON.parse(JSON.stringify(value)) as unknown);
}

function withPaths(parsed: z.infer<typeof schema>, base: string): ServiceConfig {
  const stateDir = resolve(base, parsed.stateDir);
  const inState = (given: string | undefined, ...path: string[]): string =>
    given === undefined ? join(stateDir, ...path) : resolve(base, given);
  const colon = parsed.api.listen.lastIndexOf(':');
  return {
    policies: resolve(base, parsed.policies),
    stateDir,
    points: Object.entries(parsed.points).map(([name, point]) => ({
      name,
      push: point.push.replace(/\/$/, ''),
      tokenFile: inState(point.tokenFile, 'points', name, 'push-token'),
      denyLog: inState(point.denyLog, 'points', name, 'deny.log'),
      lastKnownFile: inState(point.lastKnownFile, 'points', name, 'last-known'),
      onDrift: point.onDrift,
    })),
    api: {
      host: parsed.api.listen.slice(0, colon).replace(/^\[|\]$/g, ''),
      port: Number(parsed.api.listen.slice(colon + 1)),
      tokenFile: inState(parsed.api.tokenFile, 'api-token'),
    },
    retainDays: parsed.denials.retainDays,
    logLevel: parsed.logLevel,
  };
}
