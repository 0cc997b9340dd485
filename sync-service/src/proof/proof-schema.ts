import { resolve } from 'node:path';
import * as z from 'zod';

/** `proof` of an NGINX in edgeward.yaml: whether, how often and where its objects are proved to be enforced. */
export interface ProofInput {
  mode: 'on' | 'off';
  everySeconds: number;
  objects: Record<string, ObjectProofInput>;
}

interface ObjectProofInput {
  mode: 'on' | 'off';
  url?: string | undefined;
  host?: string | undefined;
  caFile?: string | undefined;
}

/** With every path absolute. */
export interface ProofConfig {
  mode: 'on' | 'off';
  everyMs: number;
  /** By the names of their documents. */
  objects: Record<string, { mode: 'on' | 'off'; url: string | null; host: string | null; caFile: string | null }>;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

const switched = (says: string): z.ZodDefault<z.ZodEnum<{ on: 'on'; off: 'off' }>> =>
  z.enum(['on', 'off']).default('on').describe(says);

export const proofSchema: z.ZodType<ProofInput> = z.strictObject({
  mode: switched('`off` for an NGINX that can not take it; its objects are shown as unproven.'),
  // Beyond that a proof would be called old before the next one is due.
  everySeconds: z.int().min(1).max(120).default(60).describe('How often each object is proved.'),
  objects: z
    .record(
      z.string().regex(NAME),
      z.strictObject({
        mode: switched('`off` for this object alone.'),
        url: z
          .url({ protocol: /^https?$/ })
          .refine(isPlainUrl, 'no user, query or fragment can stand in it')
          .optional()
          .describe(
            'Where the listener of this object is, as this machine reaches it. Default: the host of `push` and the first TCP port of the object, https on 443 and 8443.',
          ),
        host: z
          .string()
          .regex(/^[A-Za-z0-9._:[\]-]{1,255}$/)
          .optional()
          .describe('Host header, and the name in TLS, that lead to the server of this object.'),
        caFile: z
          .string()
          .min(1)
          .optional()
          .describe('PEM authority of its certificate. Without it the certificate is not checked.'),
      }),
    )
    .default({})
    .describe('Objects that are reached elsewhere, by the names of their VirtualServer documents.'),
});

function isPlainUrl(text: string): boolean {
  if (!URL.canParse(text)) return true; // that is told already
  const { username, password, search, hash } = new URL(text);
  return `${username}${password}${search}${hash}` === '';
}

export function proofWithPaths({ mode, everySeconds, objects }: ProofInput, base: string): ProofConfig {
  const withPaths = ({ mode, url, host, caFile }: ObjectProofInput): ProofConfig['objects'][string] => ({
    mode,
    url: url ?? null,
    host: host ?? null,
    caFile: caFile === undefined ? null : resolve(base, caFile),
  });
  const named = Object.entries(objects).map(([name, object]) => [name, withPaths(object)] as const);
  return { mode, everyMs: everySeconds * 1000, objects: Object.fromEntries(named) };
}
