import * as z from 'zod';

/** `store` in `edgeward.yaml`: where a central store is, and whom it is believed to be. */
export interface StoreInput {
  urls: string[];
  rootFile: string;
  certFile?: string | undefined;
  keyFile?: string | undefined;
  caFile?: string | undefined;
  credentialsFile?: string | undefined;
  mirrors: string[];
  pollSeconds: number;
  inventory: boolean;
}

export const storeSchema: z.ZodType<StoreInput> = z
  .strictObject({
    urls: z
      .array(z.url({ protocol: /^(https|tls|nats|file)$/ }))
      .min(1)
      .max(16)
      .describe(
        '`https://HOST:PORT` of the store, `tls://HOST:PORT` of each NATS node, or `file:///FOLDER` of a mirror.',
      ),
    rootFile: z.string().min(1).describe('The first trust root, `roots/1.json` of the store, brought here by hand.'),
    certFile: z.string().min(1).optional().describe('PEM certificate that names the points served here.'),
    keyFile: z.string().min(1).optional().describe('Its key.'),
    caFile: z.string().min(1).optional().describe("PEM authority of the store's certificate."),
    credentialsFile: z.string().min(1).optional().describe('NATS: file with the credentials of this user.'),
    mirrors: z
      .array(z.url({ protocol: /^https$/ }))
      .max(8)
      .default([])
      .describe('Where blobs are asked for first; nothing is believed because of where it came from.'),
    pollSeconds: z
      .int()
      .min(5)
      .max(60)
      .default(10)
      .describe(
        'How old what is known may be, about: the head is asked for as often, beside every hint; over HTTPS one question waits for less than that.',
      ),
    inventory: z
      .boolean()
      .default(true)
      .describe('Whether to fetch names and labels of workloads, which denials are recorded with.'),
  })
  .superRefine(({ urls, certFile, keyFile, caFile }, context) => {
    const kinds = new Set(urls.map((url) => (URL.canParse(url) ? new URL(url).protocol : '')));
    const refuse = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    if (kinds.size > 1) refuse('urls', 'they are of several kinds');
    if (urls.length > 1 && (kinds.has('https:') || kinds.has('file:'))) refuse('urls', 'of this kind there is one');
    if ((certFile === undefined) !== (keyFile === undefined)) refuse('keyFile', 'certFile and keyFile belong together');
    if (kinds.has('https:') && (certFile === undefined || keyFile === undefined || caFile === undefined))
      refuse('certFile', 'https needs certFile, keyFile and caFile');
  });
