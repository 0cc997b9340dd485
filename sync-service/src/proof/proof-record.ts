import { readFile } from 'node:fs/promises';
import { type Logger, messageOf, writeDurably } from '@edgeward/runtime';
import * as z from 'zod';
import type { LastProof } from './object-proof.ts';

/**
 * When each object was proven last, over restarts: without it a snippet that is removed while the service is down would
 * look like an object that never could be proven. A file that is lost or damaged costs that and nothing else.
 */
export type LastProofs = Record<string, Record<string, LastProof>>;

const schema: z.ZodType<{ format: 1; points: LastProofs }> = z.object({
  format: z.literal(1),
  points: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({
        url: z.url(),
        provenAtMs: z.number(),
        revision: z.number(),
        flows: z.array(z.enum(['allow', 'deny'])),
      }),
    ),
  ),
});

export async function readProofs(file: string, logger: Logger): Promise<LastProofs> {
  try {
    return schema.parse(JSON.parse(await readFile(file, 'utf8'))).points;
  } catch (cause) {
    logger.debug({ event: 'proofs_unknown', file, cause: messageOf(cause) }, 'no earlier proofs are known');
    return {};
  }
}

/** Proofs go on without it. */
export async function writeProofs(file: string, points: LastProofs, logger: Logger): Promise<void> {
  try {
    await writeDurably(file, `${JSON.stringify({ format: 1, points })}\n`);
  } catch (cause) {
    logger.warn({ event: 'proofs_unwritten', file, cause: messageOf(cause) }, 'proofs would not outlive a restart');
  }
}
