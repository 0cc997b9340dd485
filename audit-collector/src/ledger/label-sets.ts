/** Sets of labels as text: as a ledger tells them apart, and as people read them. */

/** The same set gives the same text, whatever the order of its keys. */
export const labelText = (labels: Record<string, string>): string =>
  JSON.stringify(Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))));

/** `app=crm,env=dev`. */
export function labelTitle(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return pairs.length === 0 ? 'no labels' : pairs.sort().join();
}
