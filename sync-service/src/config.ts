import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type LedgerPlace, ledgerPlace, type SinksConfig, sinksWithPaths } from '@edgeward/audit-collector';
import type { OnDrift } from '@edgeward/enforcement-point';
import { yamlDocuments } from '@edgeward/policy-source';
import {
  EdgewardError,
  loadConfig,
  type MetricsListen,
  messageOf,
  metricsListenOf,
  systemCodeOf,
} from '@edgeward/runtime';
import { type BigipInput, type ConfigInput, serviceSchema } from './config-schema.ts';
import type { HostsInput } from './hosts/hosts-schema.ts';
import { type NativeConfig, nativeWithPaths } from './nginx-mode-schema.ts';
import { type ProofConfig, proofWithPaths } from './proof/proof-schema.ts';
import type { StoreInput } from './store/store-schema.ts';

/** `edgeward.yaml` as the service uses it: read, checked, every path absolute. */

export interface PointConfig {
  name: string;
  push: string;
  /** null: no connections are judged there. */
  streamPush: string | null;
  /** null: `push` is on loopback, and plain. */
  tls: { caFile: string; certFile: string; keyFile: string } | null;
  tokenFile: string;
  denyLog: string;
  lastKnownFile: string;
  onDrift: OnDrift;
  /** null: `mode: live`. */
  native: NativeConfig | null;
  proof: ProofConfig;
}

export interface BigipConfig {
  name: string;
  urls: string[];
  user: string;
  passwordFile: string;
  /** null: the system's authorities. */
  caFile: string | null;
  onDrift: OnDrift;
  driftCheckSeconds: number;
  syncOthersChanges: boolean;
  denials: {
    host: string;
    port: number;
    from: string[];
    tls: { certFile: string; keyFile: string; clientCaFile: string } | null;
  } | null;
}

/** Where forwarders send, and of which points. */
export interface ForwardersConfig {
  listen: { host: string; port: number };
  files: { certFile: string; keyFile: string; clientCaFile: string };
  recordsPerSecond: number;
  points: string[];
}

export interface HostsConfig {
  listen: { host: string; port: number };
  /** DNS names and addresses; not empty. */
  names: string[];
  enrolListen: { host: string; port: number } | null;
  /** Records of one host, over time. */
  denialsPerSecond: number;
  /** `STATEDIR/hosts` */
  folder: string;
  points: { name: string; onDrift: 'report' }[];
}

export interface StoreConfig {
  /** Of one kind. */
  urls: string[];
  rootFile: string;
  certFile: string | null;
  keyFile: string | null;
  caFile: string | null;
  credentialsFile: string | null;
  mirrors: string[];
  pollMs: number;
  inventory: boolean;
}

/** The configuration with every path absolute. */
export interface ServiceConfig {
  policies: string;
  /** null: the folder is the store. */
  store: StoreConfig | null;
  stateDir: string;
  points: PointConfig[];
  bigips: BigipConfig[];
  /** null: none call here. */
  hosts: HostsConfig | null;
  api: { host: string; port: number; tokenFile: string };
  /** null: `api` alone serves them. */
  metrics: MetricsListen | null;
  /** Undefined: every deny log is here. */
  forwarders?: ForwardersConfig | undefined;
  retainDays: number;
  retainRollupDays: number;
  ledger: LedgerPlace;
  sinks: SinksConfig;
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
    schema: serviceSchema,
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

function withPaths(parsed: ConfigInput, base: string): ServiceConfig {
  const stateDir = resolve(base, parsed.stateDir);
  const inState = (given: string | undefined, ...path: string[]): string =>
    given === undefined ? join(stateDir, ...path) : resolve(base, given);
  return {
    policies: resolve(base, parsed.policies),
    store: parsed.store === undefined ? null : storeWithPaths(parsed.store, base),
    stateDir,
    points: Object.entries(parsed.points).map(([name, point]) => ({
      name,
      push: point.push.replace(/\/$/, ''),
      streamPush: point.streamPush?.replace(/\/$/, '') ?? null,
      tls: pushTlsOf(point, base),
      tokenFile: inState(point.tokenFile, 'points', name, 'push-token'),
      denyLog: inState(point.denyLog, 'points', name, 'deny.log'),
      lastKnownFile: inState(point.lastKnownFile, 'points', name, 'last-known'),
      onDrift: point.onDrift,
      native: nativeWithPaths(point, base, join(stateDir, 'points', name)),
      proof: proofWithPaths(point.proof, base),
    })),
    bigips: Object.entries(parsed.bigips).map(([name, bigip]) => bigipWithPaths(name, bigip, base, inState)),
    hosts: parsed.hosts === undefined ? null : hostsWithPaths(parsed.hosts, stateDir),
    api: {
      ...hostAndPort(parsed.api.listen),
      tokenFile: inState(parsed.api.tokenFile, 'api-token'),
    },
    metrics: parsed.metrics === undefined ? null : metricsListenOf(parsed.metrics, base),
    ...forwardersOf(parsed, base),
    retainDays: parsed.denials.retainDays,
    retainRollupDays: parsed.denials.retainRollupDays,
    ledger: ledgerPlace(parsed.denials.postgres, stateDir, base),
    sinks: sinksWithPaths(parsed.denials.sinks, base),
    logLevel: parsed.logLevel,
  };
}

/** All three are there with https, as the schema says. */
function pushTlsOf({ caFile, certFile, keyFile }: ConfigInput['points'][string], base: string): PointConfig['tls'] {
  if (caFile === undefined || certFile === undefined || keyFile === undefined) return null;
  return tlsWithPaths({ caFile, certFile, keyFile }, base);
}

function forwardersOf({ points, denials }: ConfigInput, base: string): Pick<ServiceConfig, 'forwarders'> {
  if (denials.listen === undefined) return {};
  const { listen, certFile, keyFile, clientCaFile, recordsPerSecond } = denials.listen;
  const forwarded = Object.entries(points).flatMap(([name, point]) => (point.forwarded ? [name] : []));
  const files = tlsWithPaths({ certFile, keyFile, clientCaFile }, base);
  return { forwarders: { listen: hostAndPort(listen), files, recordsPerSecond, points: forwarded } };
}

function storeWithPaths(store: StoreInput, base: string): StoreConfig {
  const file = (given: string | undefined): string | null => (given === undefined ? null : resolve(base, given));
  return {
    urls: store.urls,
    rootFile: resolve(base, store.rootFile),
    certFile: file(store.certFile),
    keyFile: file(store.keyFile),
    caFile: file(store.caFile),
    credentialsFile: file(store.credentialsFile),
    mirrors: store.mirrors,
    pollMs: store.pollSeconds * 1000,
    inventory: store.inventory,
  };
}

function hostsWithPaths(hosts: HostsInput, stateDir: string): HostsConfig {
  const { listen, names, enrolListen, denialsPerSecond, points } = hosts;
  return {
    listen: hostAndPort(listen),
    names,
    denialsPerSecond,
    enrolListen: enrolListen === undefined ? null : hostAndPort(enrolListen),
    folder: join(stateDir, 'hosts'),
    points: Object.entries(points).map(([name, { onDrift }]) => ({ name, onDrift })),
  };
}

type InState = (given: string | undefined, ...path: string[]) => string;

function bigipWithPaths(name: string, bigip: BigipInput, base: string, inState: InState): BigipConfig {
  const { denials, caFile } = bigip;
  return {
    name,
    urls: bigip.urls.map((url) => new URL(url).origin),
    user: bigip.user,
    passwordFile: inState(bigip.passwordFile, 'points', name, 'password'),
    caFile: caFile === undefined ? null : resolve(base, caFile),
    onDrift: bigip.onDrift,
    driftCheckSeconds: bigip.driftCheckSeconds,
    syncOthersChanges: bigip.syncOthersChanges,
    denials:
      denials === undefined
        ? null
        : {
            ...hostAndPort(denials.listen),
            from: denials.from,
            tls: denials.tls === undefined ? null : tlsWithPaths(denials.tls, base),
          },
  };
}

function tlsWithPaths<Files extends Record<string, string>>(files: Files, base: string): Files {
  return Object.fromEntries(Object.entries(files).map(([key, file]) => [key, resolve(base, file)])) as Files;
}

function hostAndPort(listen: string): { host: string; port: number } {
  const colon = listen.lastIndexOf(':');
  return { host: listen.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(listen.slice(colon + 1)) };
}
