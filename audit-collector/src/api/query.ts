/**
 * The query of a request, read as a schema says. Nothing is ignored: a filter that was misspelt would answer with everything.
 * What is wrong is told with what is accepted, which is the message of the schema's own check.
 */
import { EdgewardError } from '@edgeward/runtime';
import * as z from 'zod';

/** A whole number as text. */
export const wholeNumber = (least: number, most: number, says: string): z.ZodType<number> => {
  const error = most === Number.MAX_SAFE_INTEGER ? 'a whole number' : `a whole number from ${least} to ${most}`;
  const text = z.string().regex(/^\d{1,16}$/, { error });
  return text.transform(Number).pipe(z.int({ error }).min(least, { error }).max(most, { error })).describe(says);
};

/** Milliseconds since the epoch. */
export const instant = (says: string): z.ZodType<number> => wholeNumber(0, Number.MAX_SAFE_INTEGER, says);

export const choice = <Value extends string>(values: readonly [Value, ...Value[]], says: string): z.ZodType<Value> =>
  z.enum(values, { error: `one of ${values.join(', ')}` }).describe(says) as unknown as z.ZodType<Value>;

export const words = (says: string): z.ZodType<string> =>
  z
    .string()
    .max(maxWordsLength, { error: `at most ${maxWordsLength} characters` })
    .describe(says);

const maxWordsLength = 1_024;

/** What of JSON Schema is needed to read a query and to describe it. */
export interface ParameterSchema {
  type?: string;
  description?: string;
}

type Parameters = Record<string, ParameterSchema>;

/** Each schema is described once: every request is read by it. */
const described = new WeakMap<z.ZodType, Parameters>();

/** By name, in the order of the schema. */
export function parametersOf(schema: z.ZodType): Record<string, ParameterSchema> {
  const known = described.get(schema);
  if (known !== undefined) return known;
  const { properties = {} } = z.toJSONSchema(schema, { io: 'output', unrepresentable: 'any' });
  const parameters = properties as Parameters;
  described.set(schema, parameters);
  return parameters;
}

/** Throws EDW_ERR_QUERY. */
export function readQuery<Query>(schema: z.ZodType<Query>, given: URLSearchParams): Query {
  const parameters = parametersOf(schema);
  const values: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const name of new Set(given.keys())) {
    if (!Object.hasOwn(parameters, name)) throw unknown(name, Object.keys(parameters));
    const all = given.getAll(name);
    if (parameters[name]?.type !== 'array' && all.length > 1) throw wrongQuery(name, all.join(', '), 'given once');
    values[name] = parameters[name]?.type === 'array' ? all : all[0];
  }
  const read = schema.safeParse({ ...values });
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const name = String(issue?.path[0] ?? '');
  const wrong = issue?.path[1] === undefined ? given.get(name) : given.getAll(name)[Number(issue.path[1])];
  throw wrongQuery(name, wrong ?? '', issue?.message ?? 'something else');
}

const unknown = (name: string, known: readonly string[]): EdgewardError =>
  new EdgewardError('EDW_ERR_QUERY', `there is no parameter ${JSON.stringify(name)} here`, {
    mend: `Use ${known.join(', ')}.`,
  });

export function wrongQuery(name: string, given: string, accepted: string): EdgewardError {
  return new EdgewardError('EDW_ERR_QUERY', `'${name}' is ${JSON.stringify(given)}, and must be ${accepted}`, {
    mend: 'Correct the request.',
  });
}
