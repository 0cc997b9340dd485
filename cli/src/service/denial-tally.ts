/** What was denied while somebody watched, for the end of it: how many, why, at what and from where. Its memory is bounded. */
import { formatDuration } from '../frame/duration.ts';
import { counted, printable } from '../frame/terminal-text.ts';
import { sourceText } from './denial-line.ts';
import type { Denial, Uncovered } from './service-answers.ts';

export interface DenialTally {
  add(denials: readonly Denial[]): void;
  text(watchedMs: number): string;
}

const shownOfEach = 5;
/** Sources are whatever clients make them. */
const mostKeys = 10_000;

export function createDenialTally(): DenialTally {
  let [all, passed, records] = [0, 0, 0];
  const kinds = { reasons: keyCounts(), rules: keyCounts(), objects: keyCounts(), sources: keyCounts() };
  return {
    add(denials) {
      for (const denial of denials) {
        const { count, verdict, reason, rule, object } = denial;
        records += 1;
        all += count;
        if (verdict === 'would-deny') passed += count;
        kinds.reasons.add(reason, count);
        if (rule !== null) kinds.rules.add(rule, count);
        kinds.objects.add(object, count);
        kinds.sources.add(sourceText(denial), count);
      }
    },
    text(watchedMs) {
      const inRecords = records === all ? '' : ` in ${counted(records, 'record')}`;
      const observed = passed === 0 ? '' : `, ${passed.toLocaleString('en')} of them would deny (observe: passes)`;
      const head = `watched for ${formatDuration(watchedMs)}: ${counted(all, 'denial')}${inRecords}${observed}\n`;
      const rows = Object.entries(kinds).filter(([, { isEmpty }]) => !isEmpty());
      return `\n${head}${rows.map(([name, { text }]) => `  ${name.padEnd(8)} ${printable(text())}\n`).join('')}`;
    },
  };
}

interface KeyCounts {
  add(key: string, count: number): void;
  isEmpty(): boolean;
  /** The most first. */
  text(): string;
}

function keyCounts(): KeyCounts {
  const counts = new Map<string, number>();
  /** Of keys that there was no room for. */
  let unnamed = 0;
  return {
    add(key, count) {
      const known = counts.get(key);
      if (known === undefined && counts.size >= mostKeys) unnamed += count;
      else counts.set(key, (known ?? 0) + count);
    },
    isEmpty: () => counts.size === 0,
    text() {
      const most = [...counts].sort(([, one], [, other]) => other - one);
      const rest = most.slice(shownOfEach);
      const others = rest.reduce((sum, [, count]) => sum + count, unnamed);
      const shown = most.slice(0, shownOfEach).map(([key, count]) => `${key} ${count.toLocaleString('en')}`);
      const more = unnamed === 0 ? `${rest.length} others` : `more than ${rest.length.toLocaleString('en')} others`;
      return [...shown, ...(others === 0 ? [] : [`${more} ${others.toLocaleString('en')}`])].join(', ');
    },
  };
}

/** What nobody knows more of than how many. */
export function uncoveredText(uncovered: readonly Uncovered[]): string {
  const points = [...new Set(uncovered.map((it) => it.point))];
  return points
    .map((point) => {
      const own = uncovered.filter((it) => it.point === point);
      const count = own.reduce((sum, it) => sum + it.count, 0);
      const causes = own.map((it) => `${it.cause} ${it.count}`).join(', ');
      return `${printable(`${point}: ${count} more were counted and have no record (${causes})`)}\n`;
    })
    .join('');
}
