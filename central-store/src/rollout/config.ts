/** `rollout` in the configuration of a store: in which waves a published version reaches its points, and what stops it. */
import * as z from 'zod';
import { waveSelector } from './wave-selector.ts';

export interface RolloutConfig {
  waves: WaveConfig[];
  settleSeconds: number;
  applyTimeoutSeconds: number;
  denySpike: number;
  denyFloor: number;
  confirmMinutes: number;
  onHalt: 'return' | 'hold';
}

/** One of the three. Each wave holds those before it. */
export interface WaveConfig {
  match?: string | undefined;
  percent?: number | undefined;
  all?: true | undefined;
}

const wave: z.ZodType<WaveConfig> = z
  .strictObject({
    match: z
      .string()
      .min(1)
      .optional()
      .describe("Points with an object that this selector takes, such as `tier == 'canary'`."),
    percent: z.number().gt(0).max(100).optional().describe('So many of all points, chosen by the hash of their names.'),
    all: z.literal(true).optional().describe('Every point.'),
  })
  .superRefine(({ match, percent, all }, context) => {
    const given = [match, percent, all].filter((it) => it !== undefined);
    if (given.length !== 1)
      context.addIssue({ code: 'custom', message: 'a wave is one of `match`, `percent` and `all`' });
    const read = match === undefined ? null : waveSelector(match);
    if (read !== null && 'error' in read)
      context.addIssue({ code: 'custom', path: ['match'], message: `it is no selector: ${read.error}` });
  });

export const rolloutSchema: z.ZodType<RolloutConfig> = z.strictObject({
  waves: z
    .array(wave)
    .min(1)
    .max(32)
    .default([{ all: true }])
    .refine(
      (waves) => waves.findIndex(({ all }) => all === true) === waves.length - 1,
      'the last wave, and no other, is `all: true`',
    )
    .describe('In this order; each holds those before it, and the last one is `all: true`.'),
  settleSeconds: z
    .int()
    .min(0)
    .max(86_400)
    .default(60)
    .describe('How long every point of a wave has to be in order after it applied the version.'),
  applyTimeoutSeconds: z
    .int()
    .min(10)
    .max(86_400)
    .default(300)
    .describe('A point that can be reached and has not applied the version by then stops the roll-out.'),
  denySpike: z
    .number()
    .min(1)
    .max(1_000)
    .default(3)
    .describe('So many times the denials of the last hour at a point, by rate, stop the roll-out.'),
  denyFloor: z.int().min(0).max(1_000_000).default(20).describe('Fewer denials than this stop nothing.'),
  confirmMinutes: z
    .int()
    .min(1)
    .max(1_440)
    .default(10)
    .describe('How long a person has to confirm a version that enforces an object for the first time.'),
  onHalt: z
    .enum(['return', 'hold'])
    .default('return')
    .describe('Whether points go back to the version before when something stops a roll-out.'),
});

export const DEFAULT_ROLLOUT: RolloutConfig = rolloutSchema.parse({});

/** As people read it in the status. */
export function waveTitle({ match, percent }: WaveConfig): string {
  if (match !== undefined) return match;
  return percent === undefined ? 'all' : `${percent} %`;
}
