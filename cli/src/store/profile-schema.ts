/** `store.yaml`: how one person reaches a store, who they are there, and whom they believe. */
import * as z from 'zod';

export interface ProfileInput {
  url?: string | undefined;
  certFile?: string | undefined;
  keyFile?: string | undefined;
  caFile?: string | undefined;
  rootFile?: string | undefined;
  signingKeyFile?: string | undefined;
  passphraseFile?: string | undefined;
}

const file = (says: string): z.ZodOptional<z.ZodString> => z.string().min(1).optional().describe(says);

/** Every key may be given on the command line instead: so none is needed here. */
export const profileSchema: z.ZodType<ProfileInput> = z.strictObject({
  url: z
    .url({ protocol: /^https$/ })
    .refine(isBare, 'no more than a host and a port can stand in it')
    .optional()
    .describe('`https://HOST:PORT` of the store.'),
  certFile: file('PEM certificate that names this person.'),
  keyFile: file('Its key.'),
  caFile: file("PEM authority of the store's certificate; no other one is believed."),
  rootFile: file('The trust root that this person pinned, brought here by hand.'),
  signingKeyFile: file('Private key that proposals and approvals are signed with; for authors and approvers.'),
  passphraseFile: file('File with the passphrase of the signing key, where it is sealed.'),
});

function isBare(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && url.pathname === '/' && !/[?#@\\]/.test(text);
}
