/** Tells a person at a terminal what is taking so long: from the second second on, on stderr, and gone when it is done. */
import type { Output } from './output.ts';
import { printable } from './terminal-text.ts';

const patienceMs = 1_000;

/** `says` is asked again every second. */
export async function withProgress<T>(err: Output, says: () => string, work: () => Promise<T>): Promise<T> {
  if (!err.isTty) return await work();
  let shown = false;
  const timer = setInterval(() => {
    shown = true;
    void err.write(`\r\x1b[K${printable(says())} …`).catch(() => {}); // a progress line that can't be shown is no loss
  }, patienceMs);
  timer.unref();
  try {
    return await work();
  } finally {
    clearInterval(timer);
    if (shown) await err.write('\r\x1b[K');
  }
}
