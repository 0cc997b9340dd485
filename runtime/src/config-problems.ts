/** What is wrong with a configuration, one line a problem: path, value, what is accepted. */
import type * as z from 'zod';
import { type JsonSchema, jsonSchemaOf, nodesAt } from './config-schema.ts';

type Issue = z.core.$ZodIssue;

/** `origins` names the flag or variable that set a path; other values are the file's. */
export function describeProblems(
  issues: readonly Issue[],
  schema: z.ZodType,
  value: unknown,
  origins: ReadonlyMap<string, string>,
): string[] {
  const root = jsonSchemaOf(schema);
  return issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(root, issue.path, key));
    const path = pathText(issue.path);
    const origin = origins.get(path);
    const subject = origin === undefined ? path || 'the whole file' : `${path} (${origin})`;
    const shown = showValue(valueAt(value, issue.path));
    return [`${subject}: ${shown}${expectation(issue, nodesAt(root, issue.path))}`];
  });
}

/** The value of an unknown key is not shown: it may be a secret in the wrong place. */
function unknownKey(root: JsonSchema, path: PropertyKey[], key: string): string {
  const accepted = new Set(nodesAt(root, path).flatMap((node) => Object.keys(node.properties ?? {})));
  return `${pathText([...path, key])}: unknown key; accepted: ${[...accepted].toSorted().join(', ')}`;
}

function expectation(issue: Issue, nodes: JsonSchema[]): string {
  const accepted = [...new Set(nodes.map(acceptedBy))].join(', or ');
  // A check of the schema's author says in its own words what is wrong.
  if (issue.code === 'custom' || accepted === '') return `: ${issue.message}`;
  return `; accepted: ${accepted}`;
}

function acceptedBy(node: JsonSchema): string {
  if (node.const !== undefined) return JSON.stringify(node.const);
  if (node.enum !== undefined) return node.enum.map((value) => JSON.stringify(value)).join(', ');
  if (node.type === 'integer' || node.type === 'number') return numberAccepted(node);
  if (node.type === 'boolean') return 'true, false';
  if (node.type === 'string') return stringAccepted(node);
  if (node.type === 'array') return (node.minItems ?? 0) > 0 ? `a list of at least ${node.minItems}` : 'a list';
  if (node.type === 'object') return `keys ${Object.keys(node.properties ?? {}).join(', ')}`.trim();
  return '';
}

function numberAccepted(node: JsonSchema): string {
  const name = node.type === 'integer' ? 'an integer' : 'a number';
  const least = node.minimum ?? node.exclusiveMinimum;
  const most = node.maximum ?? node.exclusiveMaximum;
  // zod bounds every integer by what a double holds exactly; that is no rule of ours.
  const from = least === undefined || least === Number.MIN_SAFE_INTEGER ? '' : ` from ${bound(node.minimum, least)}`;
  const to = most === undefined || most === Number.MAX_SAFE_INTEGER ? '' : ` to ${bound(node.maximum, most)}`;
  return name + from + to;
}

function bound(inclusive: number | undefined, value: number): string {
  return inclusive === undefined ? `${value} (not included)` : String(value);
}

function stringAccepted(node: JsonSchema): string {
  if (node.pattern !== undefined && node.format === undefined) return `text that matches ${node.pattern}`;
  if (node.format !== undefined) return `text in the form "${node.format}"`;
  return (node.minLength ?? 0) > 0 ? 'text that is not empty' : 'text';
}

function showValue(value: unknown): string {
  if (value === undefined) return 'missing';
  // A URL may hold a password where none belongs.
  const text = (JSON.stringify(value) ?? String(value)).replace(/:\/\/[^/"\s]*@/g, '://…@');
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let current = value;
  for (const key of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, key)) return undefined;
    current = Reflect.get(current, key);
  }
  return current;
}

function pathText(path: readonly PropertyKey[]): string {
  let text = '';
  for (const key of path) text += typeof key === 'number' ? `[${key}]` : text === '' ? String(key) : `.${String(key)}`;
  return text;
}
