/** For commands that go on: what of a sync service passes by itself. */
export const SERVICE_AWAY: ReadonlySet<string> = new Set([
  'EDW_ERR_SERVICE_UNREACHABLE',
  'EDW_ERR_SERVICE_BUSY',
  'EDW_ERR_TIMEOUT',
]);
