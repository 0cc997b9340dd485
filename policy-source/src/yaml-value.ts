/**
 * From the tree of a YAML document to plain values, and from a path to the place of a value. Mappings become objects
 * without a prototype, so that `__proto__` and `constructor` are keys like any other. Trees are at most `maxDepth`
 * deep, so recursion is safe here.
 */
import type { Path } from '@edgeward/policy';
import { isAlias, isMap, isScalar, isSeq, type Node, type Pair, type YAMLMap } from 'yaml';
import type { PathPart, Position } from './piece.ts';
import type { Report, Tree } from './yaml-tree.ts';

function start(node: unknown): number {
  return isScalar(node) || isMap(node) || isSeq(node) || isAlias(node) ? (node.range?.[0] ?? 0) : 0;
}

function nameOf(key: unknown): string {
  if (isMap(key)) return 'a mapping';
  if (isSeq(key)) return 'a list';
  if (!isScalar(key) || key.value === null) return 'empty';
  return `read as the ${typeof key.value} ${String(key.value)}`;
}

function mappingOf(map: YAMLMap, lineOf: (offset: number) => number, report: Report): Record<string, unknown> {
  const value: Record<string, unknown> = Object.create(null);
  const seen = new Map<string, number>();
  for (const { key, value: node } of map.items as Pair[]) {
    if (!isScalar(key) || typeof key.value !== 'string') {
      report(start(key), 'EDW_ERR_YAML_KEY', `A key must be text, but this one is ${nameOf(key)}`, 'Put it in quotes.');
      continue;
    }
    const name = key.value;
    const first = seen.get(name);
    if (first === undefined) seen.set(name, start(key));
    else {
      const where = lineOf(start(key)) - lineOf(first);
      const distance = where === 0 ? 'on this line' : `${where} line${where === 1 ? '' : 's'} above`;
      const message = `The key ${JSON.stringify(name)} stands here a second time, first ${distance}`;
      report(start(key), 'EDW_ERR_DUPLICATE_KEY', message, 'Remove one of the two.');
    }
    value[name] = plainValue(node, lineOf, report);
  }
  return value;
}

/** The plain value of a node. What is wrong with its keys goes to `report`. */
export function plainValue(node: unknown, lineOf: (offset: number) => number, report: Report): unknown {
  if (isMap(node)) return mappingOf(node, lineOf, report);
  if (isSeq(node)) return node.items.map((item) => plainValue(item, lineOf, report));
  return isScalar(node) ? node.value : null;
}

/** A value that was left out (`key:`) has no place of its own. */
function isWritten(node: unknown): node is Node {
  return isMap(node) || isSeq(node) || (isScalar(node) && node.range?.[0] !== node.range?.[1]);
}

/** Where the value at `path` begins: its key if it is left out, the nearest parent if the path leads nowhere. */
function offsetOf(root: Node | null, path: Path, part: PathPart): number {
  let node: unknown = root;
  let at = start(root);
  for (const [i, step] of path.entries()) {
    if (isMap(node)) {
      const pair = (node.items as Pair[]).find(({ key }) => isScalar(key) && key.value === String(step));
      if (pair === undefined) return at;
      const pointAtKey = !isWritten(pair.value) || (part === 'key' && i === path.length - 1);
      node = pair.value;
      at = start(pointAtKey ? pair.key : node);
    } else {
      const item = isSeq(node) && typeof step === 'number' ? node.items[step] : undefined;
      if (item === undefined) return at;
      node = item;
      at = start(item);
    }
  }
  return at;
}

export function placeOf(tree: Tree, path: Path, part: PathPart): Position {
  const { line, col } = tree.lines.linePos(offsetOf(tree.root, path, part));
  return { line, column: col };
}
