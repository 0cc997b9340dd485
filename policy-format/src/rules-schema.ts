import type { HttpCondition, PointRule, PointRules, RuleGroup, RuleObject } from '@edgeward/policy';
import * as z from 'zod';
import { countField, groupField, instantField, nameField } from './fields.ts';

/**
 * The shape of a rules document, every field and no other. Grammars of the policy language (labels, binds, ports, paths,
 * selectors) are only bounded here: the language's own reader holds the document to them.
 */

/** Of any text that the language's reader looks at afterwards. */
const MAX_TEXT = 4096;
/** As long as a selector of as many alternatives as the language allows. */
const MAX_SELECTOR = 1024 * 1024;

const text: z.ZodType<string> = z.string().max(MAX_TEXT);
const texts: z.ZodArray<z.ZodType<string>> = z.array(text);

const object: z.ZodType<RuleObject> = z.strictObject({
  name: nameField,
  kind: z.enum(['virtual-server', 'workload']),
  labels: z.record(text, text),
  bind: text,
  protocol: z.enum(['http', 'tcp']),
  mode: z.enum(['enforce', 'observe', 'off']),
  ports: texts,
  trustedProxies: texts,
  failsafe: texts,
});

const group: z.ZodType<RuleGroup> = z.discriminatedUnion('kind', [
  z.strictObject({
    id: groupField,
    kind: z.literal('workloads'),
    selector: z.string().max(MAX_SELECTOR),
    within: texts.nullable(),
    max: countField.nullable(),
  }),
  z.strictObject({
    id: groupField,
    kind: z.literal('network'),
    name: nameField,
    cidrs: texts,
    except: texts,
    expires: instantField.nullable(),
  }),
  z.strictObject({ id: groupField, kind: z.literal('cidr'), cidr: text }),
  z.strictObject({ id: groupField, kind: z.literal('any') }),
]);

const condition = z.strictObject({
  methods: z.array(text).min(1).optional(),
  path: text.optional(),
  hosts: z.array(text).min(1).optional(),
}) as z.ZodType<HttpCondition>;

const rule: z.ZodType<PointRule> = z.strictObject({
  id: nameField,
  action: z.enum(['allow', 'deny']),
  from: z.array(groupField).min(1),
  to: z.array(nameField).min(1),
  ports: texts.min(1).nullable(),
  http: z.array(condition).min(1).nullable(),
  until: instantField.nullable(),
});

export const rulesSchema: z.ZodType<PointRules> = z.strictObject({
  format: z.literal(1),
  point: nameField,
  objects: z.array(object),
  groups: z.array(group),
  rules: z.array(rule),
});
