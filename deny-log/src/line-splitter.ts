/**
 * Bytes into lines, whatever the boundaries at which they arrive. A line longer than the limit is handed out once, cut
 * just past the limit so that its reader sees that it is too long, and its rest is skipped up to the next newline.
 */
export interface Split {
  /** Without their newlines; at most `maxLineBytes + 1` long. */
  lines: Buffer[];
  /** Bytes of the chunk that need not be read again. */
  consumed: number;
  /** The chunk ended inside an overlong line that was handed out already. */
  skipping: boolean;
}

export interface SplitLimits {
  maxLines: number;
  maxLineBytes: number;
}

const newline = 10;

export function splitLines(chunk: Buffer, skipping: boolean, limits: SplitLimits): Split {
  const lines: Buffer[] = [];
  let at = 0;
  if (skipping) {
    const end = chunk.indexOf(newline);
    if (end < 0) return { lines, consumed: chunk.length, skipping: true };
    at = end + 1;
  }
  while (lines.length < limits.maxLines) {
    const end = chunk.indexOf(newline, at);
    if (end < 0) return openEnded(chunk, at, lines, limits.maxLineBytes);
    lines.push(chunk.subarray(at, Math.min(end, at + limits.maxLineBytes + 1)));
    at = end + 1;
  }
  return { lines, consumed: at, skipping: false };
}

function openEnded(chunk: Buffer, at: number, lines: Buffer[], maxLineBytes: number): Split {
  if (chunk.length - at <= maxLineBytes) return { lines, consumed: at, skipping: false };
  return { lines: [...lines, chunk.subarray(at, at + maxLineBytes + 1)], consumed: chunk.length, skipping: true };
}
