/**
 * A call of the push endpoint as one frame of bytes, and its answer as another. The stream module has no requests, so they
 * carry their length. The module reads frames and the driver writes them; this file is all they have in common.
 *
 *   call     `EDW1 LENGTH LF CALL LF TOKEN LF BOOT-ID LF WRITER LF BODY`; LENGTH, eight hex digits, counts what follows its LF
 *   answer   `EDW1 STATUS LENGTH LF` and LENGTH bytes of JSON
 */
export const FRAME_HEAD_CHARS = 14;

/**
 * NGINX 1.26 and newer only look at what came in and leave it in the kernel until they close. So a frame must fit into the
 * receive buffer of the socket, of which Linux grants 208 KiB unless it is told otherwise.
 */
export const FRAME_LIMIT = 210000;

/**
 * For the same reason NGINX ends a connection with a reset, and what waits to be sent then is lost. So an answer fits into
 * what a receiver takes at once: a page of one ends after ANSWER_LIMIT characters, and none has more than ANSWER_MOST.
 */
export const ANSWER_LIMIT = 40000;
export const ANSWER_MOST = 60000;

/** -1: this is no frame. */
export function frameLength(head: string): number {
  return /^EDW1 [0-9a-f]{8}\n$/.test(head) ? Number.parseInt(head.slice(5, 13), 16) : -1;
}

export function frameHead(length: number): string {
  return `EDW1 ${`0000000${length.toString(16)}`.slice(-8)}\n`;
}

export function answerHead(status: number, length: number): string {
  return `EDW1 ${status} ${`0000000${length.toString(16)}`.slice(-8)}\n`;
}

/** null: not whole yet, or no answer at all. */
export function parseAnswerHead(text: string): { status: number; length: number; chars: number } | null {
  const parts = /^EDW1 ([1-5][0-9]{2}) ([0-9a-f]{8})\n/.exec(text);
  if (parts === null) return null;
  return { status: Number(parts[1]), length: Number.parseInt(parts[2] as string, 16), chars: parts[0].length };
}
