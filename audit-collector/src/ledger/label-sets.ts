/** Sets of labels as text: as a ledger tells them apart, and as people read them. */

/** The same set gives the same text, whatever the order of its keys. A set does not change any more. */
export function labelText(labels: Record<string, string>): string {
  const known = told.get(labels);
  if (known !== undefined) return known;
  const text = JSON.stringify(isSorted(Object.keys(labels)) ? labels : sorted(labels));
  told.set(labels, text);
  return text;
}

/** Asked several times for each event, by whoever stores it. */
const told = new WeakMap<object, string>();

const isSorted = (keys: readonly string[]): boolean => keys.every((key, at) => at === 0 || (keys[at - 1] ?? '') < key);

const sorted = (labels: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));

/** `app=crm,env=dev`. */
export function labelTitle(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return pairs.length === 0 ? 'no labels' : pairs.sort().join();
}
