/**
 * A schema as flat rows, one a key: what `docs/configuration.md` says, what a variable is called, what a message lists
 * as accepted. It is read from the JSON Schema that editors get, so that the three never disagree.
 */
import * as z from 'zod';

export interface SchemaRow {
  /** `status.port`; `points[].name` inside a list; `labels.*` inside a map. */
  path: string;
  /** `string`, `integer`, `"a" | "b"`, `string[]`, `object`, `object[]`, … */
  type: string;
  /** JSON text; null where there is none. */
  default: string | null;
  required: boolean;
  description: string;
  /** The variable that sets it; null inside lists and maps. */
  env: string | null;
}

/** The part of JSON Schema that zod writes. */
export interface JsonSchema {
  type?: string;
  description?: string;
  default?: unknown;
  const?: unknown;
  enum?: unknown[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  additionalProperties?: JsonSchema | boolean;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  pattern?: string;
  format?: string;
}

/** For editors: what may be written, so defaults make keys optional. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  // zod's own type of a JSON Schema is the whole standard; ours is the part it writes.
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
}

/** One row for every key of the schema, in its own order, parents before children. */
export function describeSchema(schema: z.ZodType, envPrefix = 'EDGEWARD_'): SchemaRow[] {
  return rowsOf(jsonSchemaOf(schema), '', envPrefix);
}

function rowsOf(node: JsonSchema, path: string, envPrefix: string): SchemaRow[] {
  const rows: SchemaRow[] = [];
  for (const { key, child, required } of childrenOf(node)) {
    const childPath = path === '' ? key : key === '[]' ? `${path}[]` : `${path}.${key}`;
    if (key !== '[]') rows.push(rowOf(child, childPath, required, envPrefix));
    rows.push(...rowsOf(child, childPath, envPrefix));
  }
  return mergeAlternatives(rows);
}

function rowOf(node: JsonSchema, path: string, required: boolean, envPrefix: string): SchemaRow {
  return {
    path,
    type: typeOf(node),
    default: node.default === undefined ? null : JSON.stringify(node.default),
    required,
    description: node.description ?? '',
    env: /[[*]/.test(path) ? null : envNameOf(path, envPrefix),
  };
}

function childrenOf(node: JsonSchema): { key: string; child: JsonSchema; required: boolean }[] {
  const own = Object.entries(node.properties ?? {}).map(([key, child]) => ({
    key,
    child,
    required: (node.required ?? []).includes(key),
  }));
  const items = node.items === undefined ? [] : [{ key: '[]', child: node.items, required: false }];
  const rest = typeof node.additionalProperties === 'object' ? node.additionalProperties : null;
  const map = rest === null ? [] : [{ key: '*', child: rest, required: false }];
  return [...own, ...items, ...map, ...alternativesOf(node).flatMap(childrenOf)];
}

/** Alternatives share keys (`type: 'a' | 'b'`): one row says what any of them accepts. */
function mergeAlternatives(rows: SchemaRow[]): SchemaRow[] {
  const byPath = new Map<string, SchemaRow>();
  for (const row of rows) {
    const known = byPath.get(row.path);
    if (known === undefined) byPath.set(row.path, { ...row });
    else if (!known.type.split(' | ').includes(row.type)) known.type = `${known.type} | ${row.type}`;
  }
  return [...byPath.values()];
}

/** `logLevel` → `EDGEWARD_LOG_LEVEL`, `status.port` → `EDGEWARD_STATUS__PORT`. */
function envNameOf(path: string, envPrefix: string): string {
  const parts = path.split('.').map((part) => part.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase());
  return envPrefix + parts.join('__');
}

function typeOf(node: JsonSchema): string {
  const alternatives = alternativesOf(node);
  if (alternatives.length > 0) return [...new Set(alternatives.map(typeOf))].join(' | ');
  if (node.const !== undefined) return JSON.stringify(node.const);
  if (node.enum !== undefined) return node.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (node.type !== 'array') return node.type ?? 'any';
  const item = typeOf(node.items ?? {});
  return item.includes(' | ') ? `(${item})[]` : `${item}[]`;
}

function alternativesOf(node: JsonSchema): JsonSchema[] {
  return node.anyOf ?? node.oneOf ?? [];
}

/** Every schema that may stand at `path`, through lists, maps and alternatives. */
export function nodesAt(node: JsonSchema, path: readonly PropertyKey[]): JsonSchema[] {
  const through = alternativesOf(node).flatMap((alternative) => nodesAt(alternative, path));
  const [key, ...rest] = path;
  if (key === undefined) return alternativesOf(node).length > 0 ? through : [node];
  const child = childAt(node, key);
  return child === null ? through : [...nodesAt(child, rest), ...through];
}

function childAt(node: JsonSchema, key: PropertyKey): JsonSchema | null {
  if (typeof key === 'number') return node.items ?? null;
  const own =
    node.properties !== undefined && Object.hasOwn(node.properties, key) ? node.properties[String(key)] : null;
  if (own) return own;
  return typeof node.additionalProperties === 'object' ? node.additionalProperties : null;
}
