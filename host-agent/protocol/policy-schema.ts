/**
 * What a compiled policy must be for a host to act on it: every field that its driver, `decide` or its denials read. The service
 * that signed it made it; but one of another version may mean something by it that this one would take for something else, and a
 * mode that is not known must open no host. Members that are not known are passed over. What is large is looked at in place.
 */
import type { CompiledPolicy, IntervalTable, PortRange } from '@edgeward/policy';
import * as z from 'zod';
import { countField, hashField, nameField } from './fields.ts';
import { isTable } from './table-shape.ts';

/** Numbers in a table have four hex digits. */
const ANY_CLASS = 65_536;

const port = z.int('is no port').min(0, 'is no port').max(65_535, 'is no port');
const ports = z.array(
  z
    .object({ protocol: z.enum(['tcp', 'udp'], 'is no protocol that this version knows'), from: port, to: port })
    .refine(({ from, to }: PortRange) => from <= to, 'ends before it begins'),
  'is no list of ports',
);
const words = z.string('is no text');
const http = z.object({
  methods: z.array(words).optional(),
  path: words.optional(),
  hosts: z.array(words).optional(),
});
const rule = z.object({
  id: nameField,
  action: z.enum(['allow', 'deny'], 'is no action that this version knows'),
  ports: ports.nullable(),
  http: z.array(http).nullable(),
});
const table = z.custom<IntervalTable>((value) => isTable(value, ANY_CLASS), 'is no table of addresses').nullable();

const object = z
  .object({
    name: nameField,
    hash: hashField,
    bind: words,
    kind: z.enum(['virtual-server', 'workload'], 'is no kind that this version knows'),
    protocol: z.enum(['http', 'tcp'], 'is no protocol that this version knows'),
    mode: z.enum(['enforce', 'observe', 'off'], 'is no mode that this version knows'),
    ports,
    trustedProxies: table,
    failsafe: table,
    rules: z.array(rule, 'is no list of rules'),
    classes: z.custom<number[][]>(isListOfLists, 'is no list of classes'),
    sources: z.unknown(),
  })
  .superRefine(({ rules, classes, sources }, { addIssue }) => {
    const wrong = (path: string, message: string): void => addIssue({ code: 'custom', path: [path], message });
    if (!areIndices(classes, rules.length)) wrong('classes', 'names a rule that is not there');
    if (!isTable(sources, classes.length)) wrong('sources', 'is no table of addresses and their classes');
  });

/** Of what it accepts the value itself is the policy; what zod makes of it is a copy. */
export const compiledPolicySchema: z.ZodType<unknown> = z.object(
  {
    format: z.literal(1, 'is no format that this version knows'),
    point: nameField,
    revision: countField,
    hash: hashField,
    objects: z.array(object, 'is no list of objects'),
  } satisfies Record<keyof CompiledPolicy, z.ZodType>,
  'is no policy',
);

function isListOfLists(value: unknown): value is unknown[][] {
  return Array.isArray(value) && value.every(Array.isArray);
}

function areIndices(lists: readonly (readonly unknown[])[], limit: number): boolean {
  for (const list of lists)
    for (const index of list)
      if (!(typeof index === 'number' && Number.isInteger(index) && index >= 0 && index < limit)) return false;
  return true;
}
