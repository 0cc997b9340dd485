import { type MetricsInput, metricsSchema } from '@edgeward/runtime';
import * as z from 'zod';
import { type RolloutConfig, rolloutSchema } from './rollout/config.ts';

/** `edgeward-store.yaml`: one schema gives the types, the checks and docs/configuration.md. Paths are relative to the file. */
export interface StoreConfigInput {
  stateDir: string;
  inventory: string;
  listen: string;
  tls: { certFile: string; keyFile: string; clientCaFile: string };
  metrics: MetricsInput;
  headHours: number;
  rateLimits: { requests: BudgetInput; blobs: BudgetInput };
  rollout: RolloutConfig;
  nats?: NatsInput | undefined;
  logLevel: 'debug' | 'info' | 'warn' | 'error';
}

interface BudgetInput {
  perSecond: number;
  burst: number;
}

interface NatsInput {
  servers: string[];
  credentialsFile: string;
  caFile?: string | undefined;
  certFile?: string | undefined;
  keyFile?: string | undefined;
  replicas: 1 | 3 | 5;
}

const HOST = /^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:]+\]|localhost):\d{1,5}$/;
const file = z.string().min(1);

/** The pattern says what it looks like; the URL parser knows which numbers there are. */
function isAddress(listen: string): boolean {
  return URL.canParse(`http://${listen}`);
}

function budget(perSecond: number, burst: number, what: string) {
  return z
    .strictObject({
      perSecond: z
        .int()
        .min(1)
        .max(1_000_000)
        .default(perSecond)
        .describe(`How many ${what} a second, in the long run, for each point that a certificate names.`),
      burst: z.int().min(1).max(1_000_000).default(burst).describe('How many at once, for each such point.'),
    })
    .prefault({});
}

const natsSchema: z.ZodType<NatsInput> = z
  .strictObject({
    servers: z
      .array(z.url({ protocol: /^(tls|nats)$/ }))
      .min(1)
      .describe('Addresses of the nodes: `tls://HOST:4222`; `nats://` for loopback only.'),
    credentialsFile: file.describe("File with the store's own credentials."),
    caFile: file.optional().describe("PEM authority of the nodes' certificates. Default: the system's authorities."),
    certFile: file.optional().describe('PEM certificate that the nodes ask for.'),
    keyFile: file.optional().describe('Its key.'),
    replicas: z
      .union([z.literal(1), z.literal(3), z.literal(5)])
      .default(3)
      .describe('Copies of everything, never more than there are nodes.'),
  })
  .refine(
    ({ certFile, keyFile }) => (certFile === undefined) === (keyFile === undefined),
    'certFile and keyFile belong together',
  );

/** For docs/configuration.md and editors. */
export const storeConfigSchema: z.ZodType<StoreConfigInput> = z.strictObject({
  stateDir: file
    .default('/var/lib/edgeward-store')
    .describe(
      'Folder of the store, made by `edgeward store init`: keys, trust roots, record, versions, and `mirror/`.',
    ),
  inventory: file
    .default('inventory')
    .describe('Folder of Workload documents that machines write, read recursively and watched.'),
  listen: z
    .string()
    .regex(HOST)
    .refine(isAddress, 'no address and port')
    .default('0.0.0.0:9443')
    .describe('Address for points and people; mutual TLS.'),
  tls: z.strictObject({
    certFile: file.describe('PEM certificate of the store; read again when it changes.'),
    keyFile: file.describe('Its key.'),
    clientCaFile: file.describe('PEM authority of the certificates of points and people.'),
  }),
  metrics: metricsSchema.prefault({ listen: '127.0.0.1:9401' }).describe('Metrics of the store, /livez and /readyz.'),
  headHours: z
    .int()
    .min(1)
    .max(24 * 30)
    .default(24)
    .describe('How long a point that hears nothing takes its policy for fresh; renewed at half of it.'),
  rateLimits: z
    .strictObject({
      requests: budget(20, 200, 'requests of one certificate').describe('Requests for anything but blobs.'),
      blobs: budget(500, 8_192, 'blobs of one certificate').describe('Requests for blobs.'),
    })
    .prefault({}),
  rollout: rolloutSchema.prefault({}).describe('In which waves a published version reaches its points.'),
  nats: natsSchema.optional().describe('Where everything is published as well.'),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('Least level of the log on stderr.'),
});
