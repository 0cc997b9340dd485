/** Lengths of time as people write and read them: `90s`, `10m`, `2h`, `1d`. */

const unitMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds, or null when it is no duration. At most 10,000 days. */
export function parseDurationMs(text: string): number | null {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text);
  if (match === null) return null;
  const ms = Math.round(Number(match[1]) * (unitMs[match[2] ?? ''] ?? 0));
  return ms > 864_000_000_000 ? null : ms;
}

/** `3s ago`, `2m ago`; `never` for null. */
export function formatAge(atMs: number | null, nowMs: number): string {
  return atMs === null ? 'never' : `${formatDuration(Math.max(0, nowMs - atMs))} ago`;
}

/** One unit is enough to see how long: `45s`, `12m`, `5h`, `3d`. */
export function formatDuration(ms: number): string {
  if (ms < 60_000) return `${Math.floor(ms / 1_000)}s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)}m`;
  return ms < 172_800_000 ? `${Math.floor(ms / 3_600_000)}h` : `${Math.floor(ms / 86_400_000)}d`;
}
