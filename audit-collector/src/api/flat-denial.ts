/** A denial as JSON gives it: the event, with its place in the ledger before it. */
import * as z from 'zod';
import { type DenyEvent, denyEventSchema } from '../deny-event.ts';
import type { StoredDenial } from '../ledger/ledger.ts';

export type FlatDenial = { id: number } & DenyEvent;

export const flat = ({ id, event }: StoredDenial): FlatDenial => ({ id, ...event });

const { shape } = denyEventSchema as unknown as z.ZodObject;

export const flatDenialSchema: z.ZodType<FlatDenial> = z.strictObject({
  id: z.int().min(1).describe('Grows with every denial stored, and is never used again'),
  ...shape,
}) as unknown as z.ZodType<FlatDenial>;
