/**
 * Reads what NGINX says when it refuses. Its own words are the best message there is; this picks them out of the rest.
 */

/** The `[emerg]`, `[alert]` and Docker's lines without time stamps, first reason first; else the last line; else null. */
export function emergencyOf(stderr: string): string | null {
  const lines = stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const grave = lines.filter((line) => /\[(emerg|alert)\]|^docker: /.test(line)).map(withoutStamp);
  // NGINX tries a port five times and says so each time.
  const reasons = [...new Set(grave)];
  if (reasons.length > 0) return reasons.slice(0, 3).join('; ');
  const last = lines.at(-1);
  return last === undefined ? null : withoutStamp(last);
}

function withoutStamp(line: string): string {
  return line.replace(/^(\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d|nginx:) (?=\[)/, '').replace(/^(\[\w+\]) \d+#\d+: /, '$1 ');
}

/** `127.0.0.1:80` of a `bind() … failed (98: Address already in use)`, or null. */
export function addressInUse(stderr: string): string | null {
  return /bind\(\) to (\S+) failed \(\d+: Address already in use\)/.exec(stderr)?.[1] ?? null;
}
