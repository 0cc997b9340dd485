/** A configuration as bigip.conf. Whatever a name or a value holds, reading it gives the same objects. */
import type { ConfigObject, Kind, Properties } from '../box-config.ts';
import { builtInProperties } from '../initial-state.ts';
import { rulesOfKind } from '../kind-rules.ts';
import { knownKinds } from '../kinds.ts';
import { isProperties } from '../property-values.ts';
import { inOrder, type View } from '../state.ts';
import { JSON_MARK, keyOf, NUMBER, shapeOf, VERBATIM } from './shapes.ts';
import { endOfBody, quoted, written } from './words.ts';

export function configText(view: View, version: string): string {
  const lines = [`#TMSH-VERSION: ${version}`, ''];
  for (const kind of kindsInOrder(view)) {
    for (const object of inOrder(view.all(kind)))
      if (builtInProperties(kind, object.fullPath) !== object.properties) writeStanza(object, lines);
  }
  return `${lines.join('\n')}\n`;
}

/** What others refer to comes first; what is not known, last. */
function kindsInOrder(view: View): Kind[] {
  const known = knownKinds.map(({ kind }) => kind);
  return [...known, ...[...view.kinds()].filter((kind) => !known.includes(kind)).sort()];
}

function writeStanza(object: ConfigObject, lines: string[]): void {
  const { kind, fullPath, properties } = object;
  const head = fullPath === '' ? kind : `${kind} ${written(fullPath)}`;
  const verbatim = verbatimBody(object);
  const said = verbatim === null ? shown(kind, properties) : {};
  if (verbatim === null && Object.keys(said).length === 0) {
    lines.push(`${head} { }`);
    return;
  }
  lines.push(`${head} {`);
  if (verbatim === null) writeProperties(said, kind, '', '    ', lines);
  else lines.push(verbatim);
  lines.push('}');
}

/** A body that a reader would take for structure is written as a quoted property instead. */
function verbatimBody({ kind, properties }: ConfigObject): string | null {
  const { apiAnonymous, ...others } = properties;
  if (!VERBATIM.has(kind) || typeof apiAnonymous !== 'string' || Object.keys(others).length > 0) return null;
  const end = endOfBody(`${apiAnonymous}\n}`, 0);
  const safe = end === apiAnonymous.length + 1 && apiAnonymous === apiAnonymous.trim() && apiAnonymous !== '';
  return safe && !apiAnonymous.startsWith('api-anonymous') ? apiAnonymous : null;
}

/** What a load makes anew is left out, and so is what every object has anyway. */
const MADE_ANEW = new Map<Kind, readonly string[]>([
  ['ltm data-group external', ['type']],
  [
    'sys file data-group',
    ['checksum', 'createTime', 'createdBy', 'lastUpdateTime', 'mode', 'revision', 'size', 'updatedBy'],
  ],
]);

function shown(kind: Kind, properties: Properties): Properties {
  const { defaults = {} } = rulesOfKind(kind);
  const anew = MADE_ANEW.get(kind) ?? [];
  const said = Object.fromEntries(Object.entries(properties).filter(([name]) => !anew.includes(name)));
  return withoutDefaults(said, defaults);
}

const withoutDefaults = (properties: Properties, defaults: Properties = {}): Properties =>
  Object.fromEntries(
    Object.entries(properties).filter(
      ([name, value]) => !Object.hasOwn(defaults, name) || !same(value, defaults[name]),
    ),
  );

const same = (a: unknown, b: unknown): boolean =>
  a === b || (isProperties(a) && isProperties(b) && JSON.stringify(a) === JSON.stringify(b));

function writeProperties(properties: Properties, kind: Kind, within: string, indent: string, lines: string[]): void {
  for (const name of Object.keys(properties).sort()) {
    const key = keyOf(name);
    writeProperty(key, properties[name], kind, within + key, indent, lines);
  }
}

function writeProperty(key: string, value: unknown, kind: Kind, place: string, indent: string, lines: string[]): void {
  const head = indent + written(key);
  const shape = shapeOf(kind, place);
  if (shape === 'text' && typeof value === 'string') lines.push(`${head} ${written(value)}`);
  else if (typeof value === 'number') lines.push(`${head} ${String(value)}`);
  else if (value === true && !place.includes('.')) lines.push(head);
  else if (typeof value === 'string' && !value.startsWith(JSON_MARK))
    lines.push(`${head} ${NUMBER.test(value) ? quoted(value) : written(value)}`);
  else if (isWords(value)) writeWords(head, value, indent, lines);
  else if (isNamed(value)) writeNamed(head, value, kind, key, indent, lines);
  else if (isBlock(value)) {
    lines.push(`${head} {`);
    writeProperties(value, kind, `${key}.`, `${indent}    `, lines);
    lines.push(`${indent}}`);
  } else lines.push(`${head} ${written(JSON_MARK + JSON.stringify(value))}`);
}

function writeWords(head: string, words: readonly string[], indent: string, lines: string[]): void {
  lines.push(`${head} {`);
  for (const word of words) lines.push(`${indent}    ${written(word)}`);
  lines.push(`${indent}}`);
}

type Named = Properties & { name: string };

function writeNamed(
  head: string,
  items: readonly Named[],
  kind: Kind,
  key: string,
  indent: string,
  lines: string[],
): void {
  lines.push(`${head} {`);
  for (const item of items) {
    const inner: string[] = [];
    const { name, own } = nameAndRest(item, shapeOf(kind, key) === 'placed');
    writeProperties(
      withoutDefaults(own, rulesOfKind(kind).itemDefaults?.[key]),
      kind,
      `${key}.`,
      `${indent}        `,
      inner,
    );
    const start = `${indent}    ${written(name)} {`;
    if (inner.length === 0) lines.push(`${start} }`);
    else lines.push(start, ...inner, `${indent}    }`);
  }
  lines.push(`${indent}}`);
}

/** Of kinds that are known the full path says name and partition. */
function nameAndRest(item: Named, known: boolean): { name: string; own: Properties } {
  const { name, ...own } = item;
  if (!known) return { name, own };
  const { fullPath, partition: _partition, data, ...rest } = own;
  const shownData = data === '' || data === undefined ? {} : { data };
  return { name: typeof fullPath === 'string' ? fullPath : name, own: { ...rest, ...shownData } };
}

const isWords = (value: unknown): value is string[] =>
  Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string');

const isNamed = (value: unknown): value is Named[] =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((item) => isProperties(item) && typeof item.name === 'string');

/** Only with a value in it would a reader take it for an object. */
const isBlock = (value: unknown): value is Properties =>
  isProperties(value) && Object.values(value).some((item) => typeof item === 'string' || typeof item === 'number');
