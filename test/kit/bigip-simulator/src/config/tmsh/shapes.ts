/**
 * How properties look in tmsh text. tmsh does not say what is a number, a list or a flag: for kinds that are known a
 * table does, for others the look of it: `{ a⏎b }` is a list, `{ a { … } }` are named things, `{ a b }` is an object.
 */
import type { Kind } from '../box-config.ts';

/** `placed`: named things whose full path says name and partition. */
export type Shape = 'text' | 'words' | 'named' | 'placed' | 'any';
type Shapes = Record<string, Shape>;

const ALL: Shapes = { description: 'text', 'api-anonymous': 'text' };

const SHAPES: Record<Kind, Shapes> = {
  'ltm data-group internal': { records: 'placed', 'records.data': 'text', type: 'text' },
  'ltm data-group external': { 'external-file-name': 'text', type: 'text' },
  'ltm node': { address: 'text' },
  'ltm pool': { members: 'placed', 'members.address': 'text', monitor: 'text' },
  'ltm rule': { 'ignore-verification': 'text' },
  'ltm virtual': {
    destination: 'text',
    'ip-protocol': 'text',
    mask: 'text',
    pool: 'text',
    profiles: 'placed',
    policies: 'named',
    persist: 'named',
    rules: 'words',
    source: 'text',
    vlans: 'words',
  },
  'net route-domain': { vlans: 'words' },
  'sys file data-group': { separator: 'text', 'source-path': 'text', type: 'text' },
  'sys log-config destination remote-high-speed-log': { 'pool-name': 'text', protocol: 'text' },
  'sys log-config publisher': { destinations: 'placed' },
};

/** `key` as tmsh says it; in named things `records.data`. */
export function shapeOf(kind: Kind, key: string): Shape {
  const own = said(SHAPES, kind);
  return (own && said(own, key)) ?? said(ALL, key.slice(key.indexOf('.') + 1)) ?? 'any';
}

// Keys come from outside: `constructor` is none of ours.
const said = <T>(table: Record<string, T>, key: string): T | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined;

/** Kinds whose block is Tcl and is kept letter by letter. */
export const VERBATIM: ReadonlySet<Kind> = new Set(['ltm rule', 'gtm rule', 'cli script', 'sys icall script']);

export const NUMBER: RegExp = /^-?(0|[1-9]\d*)(\.\d+)?(e[+-]?\d+)?$/i;

/** Before a value, or a key, that tmsh has no form for. */
export const JSON_MARK = 'json:';

const dashed = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const camel = (key: string): string => key.replace(/-([a-z])/g, (_all, letter: string) => letter.toUpperCase());

/** `ipProtocol` → `ip-protocol` */
export function keyOf(name: string): string {
  const key = dashed(name);
  return camel(key) === name && !name.startsWith(JSON_MARK) && name !== '' ? key : JSON_MARK + name;
}

/** `ip-protocol` → `ipProtocol` */
export const propertyOf = (key: string): string =>
  key.startsWith(JSON_MARK) ? key.slice(JSON_MARK.length) : camel(key);
