/** The key of a row in memory: each part with its length, because a name may hold whatever would stand between two of them. */
export function rowKey(parts: readonly (string | number)[]): string {
  let key = '';
  for (const part of parts) key += typeof part === 'number' ? `${part};` : `${part.length}:${part}`;
  return key;
}
