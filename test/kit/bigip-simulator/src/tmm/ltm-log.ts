/** /var/log/ltm: what rules log and TMM complains about, as syslog writes it. The newest lines are kept, and of each the beginning. */

export interface LtmLog {
  write(unit: number, level: string, text: string): void;
  lines(): string[];
}

const MAX_LINES = 10_000;
const MAX_LINE_CHARS = 8192;
const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

export function createLtmLog(hostname: string, now: () => Date = () => new Date()): LtmLog {
  const lines: string[] = [];
  return {
    write(unit, level, text) {
      const tmm = `tmm${unit === 0 ? '' : unit}[${process.pid}]`;
      lines.push(`${stamp(now())} ${hostname} ${level} ${tmm}: ${text}`.slice(0, MAX_LINE_CHARS));
      if (lines.length > 2 * MAX_LINES) lines.splice(0, lines.length - MAX_LINES);
    },
    lines: () => lines.slice(-MAX_LINES),
  };
}

function stamp(date: Date): string {
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, '0'));
  return `${MONTHS[date.getMonth()] ?? ''} ${String(date.getDate()).padStart(2, ' ')} ${time.join(':')}`;
}
