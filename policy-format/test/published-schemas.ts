/** The schemas that `policy-format/schemas` publishes, made of those that the code checks with. */
import * as z from 'zod';
import { approvalSchema } from '../src/approval.ts';
import { deltaSchema } from '../src/delta.ts';
import { headSchema } from '../src/head.ts';
import { LIMITS } from '../src/limits.ts';
import { memberIndexSchema } from '../src/member-pages.ts';
import { pointReportSchema } from '../src/point-report.ts';
import { rulesSchema } from '../src/rules-schema.ts';
import { trustRootSchema } from '../src/trust-root.ts';

const base64url = z.string().regex(/^[A-Za-z0-9_-]*$/);

/** JWS in General JSON; the code checks it by hand, before anything is parsed. */
const signedDocument = z.strictObject({
  payload: base64url,
  signatures: z
    .array(z.strictObject({ protected: base64url.max(700), signature: base64url.max(700) }))
    .max(LIMITS.signatures),
});

const sliceApproval = z.strictObject({
  approval: signedDocument,
  index: z.int().min(0),
  path: z.array(z.string().regex(/^[0-9a-f]{64}$/)).max(64),
});

/** The payload of its head is a value in it. */
const delta = (deltaSchema as unknown as z.ZodObject).extend({ head: signedDocument.extend({ payload: headSchema }) });

const SCHEMAS: Record<string, { about: string; schema: z.ZodType }> = {
  approval: { about: 'What the author and the approvers sign: one version of the policy', schema: approvalSchema },
  delta: { about: 'From one state of a point to another', schema: delta },
  head: { about: 'The newest state of one point, signed by the store', schema: headSchema },
  'member-index': { about: 'Which pages hold the members of the groups of a point', schema: memberIndexSchema },
  'point-report': { about: 'What the service at a point tells its store', schema: pointReportSchema },
  rules: { about: 'What people decided for one point', schema: rulesSchema },
  'signed-document': { about: 'A document and its signatures: JWS in General JSON, Ed25519', schema: signedDocument },
  'slice-approval': { about: 'What a point is shown of an approval', schema: sliceApproval },
  'trust-root': { about: 'Whom a store, its points and its people believe', schema: trustRootSchema },
};

/** By the name of the file without its ending. */
export function publishedSchemas(): Map<string, Record<string, unknown>> {
  return new Map(
    Object.entries(SCHEMAS).map(([name, { about, schema }]) => {
      const { $schema, ...rest } = z.toJSONSchema(schema);
      return [
        name,
        JSON.parse(JSON.stringify({ $schema, $id: `urn:edgeward:format:${name}/1`, title: about, ...rest })),
      ];
    }),
  );
}
