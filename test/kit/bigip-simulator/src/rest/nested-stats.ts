/** The shape of what is no configuration: `entries` with a URL for a key, `nestedStats` inside. */
import type { TmosVersion } from '../simulator.ts';
import type { Json } from './answer.ts';
import { linkTo } from './links.ts';

export type StatValue = string | number;

/** `{ color: { description: 'green' } }`; numbers are `value`. */
export function entriesOf(values: Record<string, StatValue>): Json {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === 'number' ? { value } : { description: value },
    ]),
  );
}

export function nested(entries: Json): Json {
  return { nestedStats: { entries } };
}

/** One set of values at PATH/0, and lines of detail below it where there are any. */
export function statsView(
  path: string,
  kind: string,
  version: TmosVersion,
  values: Record<string, StatValue>,
  details?: { path: string; lines: readonly string[] },
): Json {
  const entries = entriesOf(values);
  if (details !== undefined) entries[`https://localhost/mgmt/${details.path}`] = nested(linesOf(details));
  return { kind, selfLink: linkTo(path, version), entries: { [`https://localhost/mgmt/${path}/0`]: nested(entries) } };
}

function linesOf(details: { path: string; lines: readonly string[] }): Json {
  return Object.fromEntries(
    details.lines.map((line, index) => [
      `https://localhost/mgmt/${details.path}/${index}`,
      nested(entriesOf({ details: line })),
    ]),
  );
}
