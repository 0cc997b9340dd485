/**
 * Keeps a host's rules and sets as they were applied. `nft monitor` tells of changes to rules within milliseconds; what it can't see
 * is looked at by the clock. Rules are put back to the letter first, and then the whole policy is applied under a new
 * generation, so that what was let in meanwhile is judged anew.
 *
 * It decides no policy: it applies the one that it was last told of. Where somebody undoes every repair it repairs with
 * pauses and says so. It never takes a rule away, and closing it leaves everything in force.
 */
import type { CompiledPolicy } from '@edgeward/policy';
import { backoff, type Clock, EdgewardError, type Logger, messageOf, repeatedly } from '@edgeward/runtime';
import type { HostPoint, Netfilter } from '../../driver/index.ts';
import type { Guard, GuardStatus } from '../parts.ts';
import { createFindings, type Found, type Part } from './findings.ts';
import { createRepairPace } from './repair-pace.ts';
import { startRuleMonitor } from './rule-monitor.ts';
import { createWriters } from './writers.ts';

export interface GuardOptions {
  point: HostPoint;
  netfilter: Pick<Netfilter, 'backend'>;
  /** Words before `nft monitor`, as before every other program on this host. */
  where?: readonly string[];
  /** `report`: nothing is written; what differs is in the status. */
  reaction: 'repair' | 'report';
  clock: Clock;
  logger: Logger;
  /** A repair was made. */
  onRepair?(repair: Repair): void;
  /** Repairs began to be undone, or are no longer. */
  onContended?(contended: boolean): void;
  /** What differs and stays so has changed. */
  onDrift?(drift: readonly string[]): void;
  timing?: Partial<GuardTiming>;
}

type Repair = NonNullable<GuardStatus['repairs']['last']>;

interface GuardTiming {
  /** From the first word of a change to the look: 5 ms. A transaction is told line by line. */
  debounceMs: number;
  /** Where nothing tells of changes to rules: 5 s. */
  pollMs: number;
  /** Headers of sets: 10 s. */
  setsMs: number;
  /** Everything: 60 s. Large sets are read within 5 min. */
  wholeMs: number;
}

const TIMING: GuardTiming = { debounceMs: 5, pollMs: 5000, setsMs: 10_000, wholeMs: 60_000 };
/** Looks that found nothing, one close after the other, after which somebody else is taken to be busy near our rules. */
const MANY_LOOKS = 50;
const BUSY_DEBOUNCE_MS = 100;
/** What contends is looked at, and not repaired, no faster than this. */
const CONTENDED_DEBOUNCE_MS = 1000;
const AGAIN_MS = 1000;
const MAX_WORDS = 20;

export function createGuard(options: GuardOptions): Guard {
  const { point, netfilter, reaction, clock, logger } = options;
  const timing = { ...TIMING, ...options.timing };
  const [findings, pace, writers] = [createFindings(point), createRepairPace(), createWriters(clock)];
  let wanted = new Set<Part>();
  let policy: CompiledPolicy | null = null;
  let [paused, closed] = [true, false];
  let work: Promise<void> | null = null;
  let cancelSoon: (() => void) | null = null;
  let cancelAgain = (): void => {};
  const pause = backoff({ baseMs: AGAIN_MS, maxMs: 30_000 });
  let trouble: string | null = null;
  let endApply: ((wrote: boolean) => void) | null = null;
  let quietLooks = { count: 0, lastMs: 0 };
  let drift: string[] = [];
  let repairs: GuardStatus['repairs'] = { count: 0, last: null };

  const idle = (): boolean => closed || paused || policy === null;

  /** One look at a time; what is wanted meanwhile is looked at afterwards. */
  function want(...parts: Part[]): void {
    for (const part of parts) wanted.add(part);
    if (idle() || wanted.size === 0) return;
    work ??= lookAll().finally(() => {
      work = null;
      want();
    });
  }

  async function lookAll(): Promise<void> {
    while (wanted.size > 0 && !idle()) {
      const parts = wanted;
      wanted = new Set();
      await look(parts).catch((thrown: unknown) => failed('guard_look_failed', thrown));
    }
  }

  async function look(parts: ReadonlySet<Part>): Promise<void> {
    const [meant, beganMs] = [policy, clock.now()];
    const mend = reaction === 'repair' && pace.dueInMs(clock.now()) === 0;
    const endOurs = mend ? writers.ours() : () => {};
    let wrote = false;
    try {
      const found = await findings.look(parts, mend);
      wrote = found.words.length > 0;
      if (idle() || policy !== meant || meant === null) return;
      if (found.words.length === 0) return whole(parts, beganMs);
      quietLooks = { count: 0, lastMs: 0 };
      if (mend) return await repair(meant, found);
      tellDrift(found.words);
      if (reaction === 'repair') again(pace.dueInMs(clock.now()));
    } finally {
      endOurs(wrote);
    }
  }

  function whole(parts: ReadonlySet<Part>, beganMs: number): void {
    tellDrift([]);
    const nowMs = clock.now();
    changePace(() => pace.foundWhole(nowMs));
    if (!parts.has('rules') && !parts.has('whole')) return;
    const close = nowMs - quietLooks.lastMs < AGAIN_MS;
    quietLooks = { count: close ? quietLooks.count + 1 : 1, lastMs: nowMs };
    writers.forget(beganMs);
    trouble = null;
    pause.reset();
  }

  async function repair(meant: CompiledPolicy, { words, rules }: Found): Promise<void> {
    try {
      await point.apply(meant);
    } catch (thrown) {
      tellDrift(words);
      return failed('repair_failed', thrown);
    } finally {
      changePace(() => pace.repaired(clock.now()));
    }
    findings.forget();
    tellDrift([]);
    trouble = null;
    pause.reset();
    // Only now: a look that finds a change may be faster than who tells of it.
    const process = rules ? writers.last() : null;
    const last = { at: new Date(clock.now()).toISOString(), words: wordsOf(words), process };
    repairs = { count: repairs.count + 1, last };
    logger.warn({ event: 'rules_repaired', point: point.name, words, process }, 'repaired');
    options.onRepair?.(last);
  }

  function changePace(change: () => void): void {
    const before = pace.contended();
    change();
    const contended = pace.contended();
    if (before === contended) return;
    const event = contended ? 'repairs_contended' : 'repairs_settled';
    logger.warn({ event, point: point.name, repairs: repairs.count }, contended ? 'repairs are undone' : 'calm again');
    options.onContended?.(contended);
  }

  function tellDrift(words: readonly string[]): void {
    const told = words.slice(0, MAX_WORDS);
    if (told.join('\n') === drift.join('\n')) return;
    drift = told;
    if (told.length > 0) logger.warn({ event: 'rules_changed', point: point.name, words: told }, 'not as applied');
    options.onDrift?.(told);
  }

  function failed(event: string, thrown: unknown): void {
    const code = thrown instanceof EdgewardError ? thrown.code : null;
    trouble = messageOf(thrown);
    logger.error({ event, point: point.name, code, err: thrown }, trouble);
    again(AGAIN_MS + pause.nextMs());
  }

  function again(afterMs: number): void {
    cancelAgain();
    cancelAgain = clock.after(afterMs, () => want('whole'));
  }

  function soon(): void {
    cancelSoon ??= clock.after(debounceMs(), () => {
      cancelSoon = null;
      want('rules');
    });
  }

  function debounceMs(): number {
    if (pace.dueInMs(clock.now()) > 0) return CONTENDED_DEBOUNCE_MS;
    return quietLooks.count >= MANY_LOOKS ? BUSY_DEBOUNCE_MS : timing.debounceMs;
  }

  const monitor =
    netfilter.backend === 'legacy'
      ? null
      : startRuleMonitor({ where: options.where ?? [], clock, logger, onChange: soon, onProcess: writers.saw });
  const isTold = (): boolean => monitor !== null && monitor.away() === null;
  const ends = [
    repeatedly(clock, timing.pollMs, () => (isTold() ? undefined : want('rules'))),
    repeatedly(clock, timing.setsMs, () => want('sets')),
    repeatedly(clock, timing.wholeMs, () => want('whole')),
  ];

  return {
    pause: () => {
      paused = true;
      endApply ??= writers.ours();
    },
    policyApplied: (next) => {
      [policy, paused] = [next, false];
      endApply?.(true);
      endApply = null;
      findings.forget();
      if (next === null) tellDrift([]);
      want('rules', 'sets');
    },
    status: () => ({ state: pace.contended() ? 'contended' : 'watching', drift, repairs, warnings: warnings() }),
    close: async () => {
      closed = true;
      for (const end of ends) end();
      cancelSoon?.();
      cancelAgain();
      await Promise.all([monitor?.close(), work]);
    },
  };

  function warnings(): string[] {
    const often = `rules are looked at each ${timing.pollMs / 1000} s`;
    const away = monitor === null ? 'iptables-legacy tells nobody of changes' : monitor.away();
    return [...(away === null ? [] : [`${away}: ${often}`]), ...(trouble === null ? [] : [trouble])];
  }
}

function wordsOf(words: readonly string[]): string {
  const more = words.length - MAX_WORDS;
  return words.slice(0, MAX_WORDS).join('; ') + (more > 0 ? `; and ${more} more` : '');
}
