import { isIP } from 'node:net';
import * as z from 'zod';

/** `hosts` in edgeward.yaml: where hosts behind no balancer call, and which ones there are. */
export interface HostsInput {
  listen: string;
  names: string[];
  enrolListen?: string | undefined;
  denialsPerSecond: number;
  points: Record<string, { onDrift: 'report' }>;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const LISTEN = /^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:]+\]|localhost):\d{1,5}$/;
const DNS_NAME = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;

const listenField = z
  .string()
  .regex(LISTEN)
  .refine((listen) => URL.canParse(`http://${listen}`), 'no address and port');

export const hostsSchema: z.ZodType<HostsInput> = z.strictObject({
  listen: listenField.default('0.0.0.0:7443').describe('Address that hosts call; mutual TLS.'),
  names: z
    .array(z.string().refine(isReached, 'no name of DNS and no address'))
    .min(1)
    .max(16)
    .describe('Names and addresses that hosts reach this service under; its certificate has them.'),
  enrolListen: listenField
    .optional()
    .describe(
      'Address where a host comes with its invite; TLS without a client certificate. Without it nobody is enrolled.',
    ),
  denialsPerSecond: z
    .int()
    .min(50)
    .max(100_000)
    .default(1_000)
    .describe(
      'Records of denials that one host may bring a second over time, and twenty seconds of it at once. More waits at the host.',
    ),
  points: z
    .record(
      z.string().regex(NAME),
      z.strictObject({
        onDrift: z
          .enum(['report'])
          .default('report')
          .describe('A host repairs itself, as `reaction` of its agent says; what is left is told here.'),
      }),
    )
    .default({})
    .describe('Hosts, by the name that Workload documents give as `point`. No other is let in.'),
});

/** An address of IPv6 stands here without brackets, as in a certificate. */
function isReached(text: string): boolean {
  return DNS_NAME.test(text) || isIP(text) !== 0;
}
