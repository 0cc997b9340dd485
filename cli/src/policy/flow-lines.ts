/**
 * Lines of a byte stream, cut without ever holding more than one line. A line past the limit is read to its end and
 * given as too long: what follows it keeps its place.
 */
export const maxFlowLineBytes: number = 1 << 20;

export type FlowLine = Uint8Array | 'too-long';

export interface FlowLines {
  /** The lines that end in this piece. */
  push(piece: Uint8Array): FlowLine[];
  /** The last line, where it has no newline. */
  end(): FlowLine[];
}

const newline = 10;
const carriageReturn = 13;
const byteOrderMark = [0xef, 0xbb, 0xbf];

export function createFlowLines(): FlowLines {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let first = true;

  function hold(part: Uint8Array): void {
    heldBytes += part.length;
    // Past the limit only the length is kept.
    if (heldBytes > maxFlowLineBytes) held = [];
    else if (part.length > 0) held.push(part);
  }

  function finish(): FlowLine {
    const [only] = held;
    const whole = held.length === 1 && only !== undefined ? only : Buffer.concat(held);
    const line = heldBytes > maxFlowLineBytes ? 'too-long' : trimmed(whole, first);
    held = [];
    heldBytes = 0;
    first = false;
    return line;
  }

  return {
    push(piece) {
      const lines: FlowLine[] = [];
      let from = 0;
      for (let at = piece.indexOf(newline); at >= 0; at = piece.indexOf(newline, from)) {
        hold(piece.subarray(from, at));
        lines.push(finish());
        from = at + 1;
      }
      hold(piece.subarray(from));
      return lines;
    },
    end: () => (heldBytes === 0 ? [] : [finish()]),
  };
}

/** Without the carriage return of CRLF, and the first line without a byte order mark. */
function trimmed(line: Uint8Array, first: boolean): Uint8Array {
  const from = first && byteOrderMark.every((byte, i) => line[i] === byte) ? byteOrderMark.length : 0;
  return line.subarray(from, line.at(-1) === carriageReturn ? -1 : undefined);
}
