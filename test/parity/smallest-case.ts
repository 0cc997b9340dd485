/**
 * Makes a case that fails small: leaves out every element and every key that it can do without, the large ones first. What
 * generated it need not be known, so a case that no longer means anything must be one that does not fail. Bounded.
 */
const MOST_TRIES = 2000;

type Path = readonly (string | number)[];

export async function smallestCase<T>(whole: T, fails: (smaller: T) => Promise<boolean>): Promise<T> {
  let current = whole;
  let tries = 0;
  for (let before: T | null = null; before !== current; ) {
    before = current;
    for (let depth = 1; pathsIn(current, depth).length > 0; depth += 1) {
      // From the end, so that the places of what was not tried yet stay as they are.
      for (const path of pathsIn(current, depth).reverse()) {
        if (tries === MOST_TRIES) return current;
        tries += 1;
        const smaller = without(current, path) as T;
        if (await fails(smaller)) current = smaller;
      }
    }
  }
  return current;
}

function pathsIn(value: unknown, depth: number): Path[] {
  if (typeof value !== 'object' || value === null) return [];
  const keys = Array.isArray(value) ? value.map((_, index) => index) : Object.keys(value);
  if (depth === 1) return keys.map((key) => [key]);
  return keys.flatMap((key) =>
    pathsIn((value as Record<string | number, unknown>)[key], depth - 1).map((path) => [key, ...path]),
  );
}

function without(value: unknown, [key = '', ...rest]: Path): unknown {
  const change = (inner: unknown): unknown[] => (rest.length === 0 ? [] : [without(inner, rest)]);
  if (Array.isArray(value)) return value.flatMap((one, index) => (index === key ? change(one) : [one]));
  const entries = Object.entries(value as object).flatMap(([name, inner]) =>
    name === key ? change(inner).map((changed) => [name, changed]) : [[name, inner]],
  );
  return Object.fromEntries(entries);
}
