import { type PostgresInput, postgresSchema, type SinksInput, sinksSchema } from '@edgeward/audit-collector';
import { type MetricsInput, metricsSchema, type TlsFiles } from '@edgeward/runtime';
import * as z from 'zod';

/**
 * `edgeward-collector.yaml`: one schema gives the types, the checks and docs/configuration.md. Paths are relative to the
 * file. What it shares with edgeward.yaml is called the same and means the same.
 */
export interface CollectorConfigInput {
  stateDir: string;
  listen: string;
  tls: TlsFiles;
  senders: Record<string, { points: 'all' | string[] }>;
  recordsPerSecond: number;
  api: { listen: string; tokenFile?: string | undefined };
  metrics?: MetricsInput | undefined;
  denials: {
    retainDays: number;
    retainRollupDays: number;
    postgres?: PostgresInput | undefined;
    sinks: SinksInput;
  };
  logLevel: 'debug' | 'info' | 'warn' | 'error';
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const ANY_ADDRESS = /^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:]+\]|localhost):\d{1,5}$/;
const LOOPBACK = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\]):\d{1,5}$/;
const file = z.string().min(1);
const days = z.int().min(1).max(3650);

/** The pattern says what it looks like; the URL parser knows which numbers there are. */
const isAddress = (listen: string): boolean => URL.canParse(`http://${listen}`);

const senderSchema = z.strictObject({
  points: z
    .union([z.literal('all'), z.array(z.string().regex(NAME)).min(1)])
    .describe(
      'Points whose denials it may bring, or `all`. What it says of another one is refused and kept as a sample.',
    ),
});

/** For docs/configuration.md and editors. */
export const collectorConfigSchema: z.ZodType<CollectorConfigInput> = z.strictObject({
  stateDir: file
    .default('/var/lib/edgeward-collector')
    .describe('Folder for what must survive a restart: the ledger, and how far each sink is.'),
  listen: z
    .string()
    .regex(ANY_ADDRESS)
    .refine(isAddress, 'no address and port')
    .default('0.0.0.0:9445')
    .describe('Address that services and forwarders send to; mutual TLS.'),
  tls: z
    .strictObject({
      certFile: file.describe('PEM certificate of this listener; read again when it changes.'),
      keyFile: file.describe('Its key.'),
      clientCaFile: file.describe('PEM authority of the certificates of senders.'),
    })
    .describe('Mutual TLS.'),
  senders: z
    .record(z.string().regex(NAME), senderSchema)
    .refine((senders) => Object.keys(senders).length > 0, 'nobody may send: name one sender at least')
    .describe('Who may send, by the name in its certificate: urn:edgeward:point:NAME.'),
  recordsPerSecond: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(20_000)
    .describe('Records that one sender may bring a second over time. More waits at the sender.'),
  api: z
    .strictObject({
      listen: z
        .string()
        .regex(LOOPBACK)
        .refine(isAddress, 'no address and port of loopback')
        .default('127.0.0.1:9402')
        .describe('Address of the API of denials, health and metrics; loopback only.'),
      tokenFile: file
        .optional()
        .describe('File with the token of this API; created when missing. Default: STATEDIR/api-token.'),
    })
    .prefault({})
    .describe('Denials over HTTP: docs/api.md.'),
  metrics: metricsSchema
    .optional()
    .describe('Metrics for a Prometheus elsewhere; on this machine `api` serves them too.'),
  denials: z
    .strictObject({
      retainDays: days.default(30).describe('Days that a denial is kept in the ledger.'),
      retainRollupDays: days
        .default(400)
        .describe('Days that counts by minute and hour are kept, and who was denied where.'),
      postgres: postgresSchema
        .optional()
        .describe('A PostgreSQL server that holds the ledger; without one it is files in STATEDIR.'),
      sinks: sinksSchema.prefault({}).describe('Where deny events go beside the ledger.'),
    })
    .prefault({})
    .describe('The ledger, as in edgeward.yaml.'),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('Least level of the log on stderr.'),
});
