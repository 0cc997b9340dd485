/**
 * What a balancer has as documents of a policy directory: virtual servers of a BIG-IP, servers of an NGINX. Names there
 * are anybody's: whatever becomes a value goes through the YAML library and is what `edgeward check` accepts, whatever
 * becomes a comment is made visible first.
 */
import { Document, isMap, isScalar, isSeq } from 'yaml';
import { printable } from '../frame/terminal-text.ts';

/** What was found, as far as a document says anything of it. */
export interface FoundVirtual {
  /** The `bind` of its document. */
  fullPath: string;
  /** What a comment calls it; without it as `bind` does. */
  title?: string;
  /** null: there can be no document, and `remarks` say why. */
  object: { ports: string[]; protocol: 'http' | 'tcp' } | null;
  remarks: string[];
}

interface Naming {
  /** Of its document. */
  name: string;
  /** The policy has an object for it. */
  bound: boolean;
}

/** Those of `bound` keep the name that the policy gives them; `taken` are names that no other may get. */
export function namedVirtuals<T extends FoundVirtual>(
  virtuals: readonly T[],
  bound: ReadonlyMap<string, string>,
  taken: Iterable<string>,
): (T & Naming)[] {
  const used = new Set(taken);
  return virtuals.map((virtual) => {
    const own = bound.get(virtual.fullPath);
    const name = own ?? freeName(virtual.fullPath, used);
    used.add(name);
    return { ...virtual, name, bound: own !== undefined };
  });
}

const MAX_NAME_CHARS = 63;

/** The last part of the path, then with its partition, then with a number. */
function freeName(fullPath: string, used: ReadonlySet<string>): string {
  const folders = fullPath.split('/').filter((folder) => folder !== '');
  const candidates = [validName(folders.at(-1) ?? ''), validName(folders.join('-'))];
  const free = candidates.find((name) => !used.has(name));
  if (free !== undefined) return free;
  for (let number = 2; ; number += 1) {
    const suffix = `-${number}`;
    const name = `${(candidates[0] ?? '').slice(0, MAX_NAME_CHARS - suffix.length)}${suffix}`;
    if (!used.has(name)) return name;
  }
}

function validName(text: string): string {
  const name = text.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '');
  return name.slice(0, MAX_NAME_CHARS) || 'virtual';
}

export interface DocumentsInput {
  /** Default `Virtual servers`. */
  what?: string;
  point: string;
  unit: string;
  virtuals: readonly (FoundVirtual & Naming)[];
  /** How many were not looked at, because the policy binds them. */
  left: number;
}

export function documentsText({ what = 'Virtual servers', point, unit, virtuals, left }: DocumentsInput): string {
  const possible = virtuals.filter(({ object }) => object !== null);
  const others = virtuals.filter(({ object }) => object === null);
  const head = [
    `${what} of ${point} (${unit}). Fill in the labels, then run: edgeward check`,
    ...(left === 0 ? [] : [`${left} that the policy binds already are left out; --all shows them.`]),
    ...others.map(({ fullPath, title, remarks }) => `can't be protected: ${title ?? fullPath}: ${remarks.join('; ')}`),
  ];
  const documents = possible.map((virtual) => String(documentOf(point, virtual)));
  return [`${head.map(commentLine).join('\n')}\n`, ...documents].join('---\n');
}

function commentLine(text: string): string {
  return `# ${printable(text)}`;
}

function documentOf(point: string, { fullPath, title, name, object, bound, remarks }: FoundVirtual & Naming): Document {
  const document = new Document({
    kind: 'VirtualServer',
    name,
    labels: {},
    point,
    bind: fullPath,
    ports: object?.ports ?? [],
    protocol: object?.protocol ?? 'tcp',
    mode: 'observe',
  });
  const known = bound ? ['the policy binds it already, under this name'] : [];
  const comments = [title ?? fullPath, ...[...known, ...remarks].map((remark) => `- ${remark}`)];
  if (document.contents !== null)
    document.contents.commentBefore = comments.map((line) => ` ${printable(line)}`).join('\n');
  if (isMap(document.contents)) for (const { key, value } of document.contents.items) dress(key, value);
  return document;
}

function dress(key: unknown, value: unknown): void {
  if (isSeq(value)) value.flow = true;
  if (isScalar(key) && key.value === 'labels') key.commentBefore = TODO;
}

const TODO = ' TODO: the labels that policies select it by, such as { app: shop, role: web, env: prod }.';
