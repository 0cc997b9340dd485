/** For commands that go on: what of a store passes by itself. */
export const STORE_AWAY: ReadonlySet<string> = new Set([
  'EDW_ERR_STORE_UNREACHABLE',
  'EDW_ERR_STORE_RATE',
  'EDW_ERR_TIMEOUT',
]);
