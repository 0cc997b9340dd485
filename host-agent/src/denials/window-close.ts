/**
 * One window of denials: samples are read first and counters after them, so that no sample is without its count; equal samples
 * are named by the policy they were taken under; what has no name becomes a gap. Nothing is written here.
 */
import { type HostCounters, hostCounters, type Netfilter, type OutgoingCounter } from '../../driver/index.ts';
import { type Accounts, closeWindow } from './accounts.ts';
import { denialRecord, gapRecord } from './denial-record.ts';
import type { KeptPolicies } from './kept-policies.ts';
import type { PublishedPorts } from './published-ports.ts';
import type { RetiredCounters } from './retired-counters.ts';
import { readSampleLine } from './sample.ts';
import type { SampleFile } from './sample-file.ts';
import { createSampleFold, type Folded, timeOf } from './sample-fold.ts';
import type { SpoolNote } from './spool-note.ts';

export interface Windows {
  /** Null where the counters can't be read: what was found stays for the next one. */
  close(note: SpoolNote, drops: number, nowMs: number): Promise<ClosedWindow | null>;
}

interface ClosedWindow {
  note: SpoolNote;
  records: string[];
  /** Denials that the records stand for. */
  count: number;
  fromMs: number;
  /** What the host began itself, by the same look. */
  outgoing: OutgoingCounter[];
  /** Counters or samples moved. */
  moved: boolean;
}

export interface WindowsOptions {
  netfilter: Netfilter;
  file: SampleFile;
  policies: KeptPolicies;
  published: PublishedPorts;
  retired: RetiredCounters;
  /** A sample is here by then. */
  lagMs: number;
  /** What the kernel would not tell. */
  refused(thrown: unknown): void;
}

export function createWindows(options: WindowsOptions): Windows {
  const { netfilter, file, policies, published, retired, lagMs, refused } = options;
  const fold = createSampleFold();
  /** Of a policy that was not known a window ago: it was being applied. */
  let held: Folded[] = [];
  let [unreadable, netlink] = [0, 0];

  function take(line: string, nowMs: number): void {
    const read = readSampleLine(line);
    if (read.state === 'unreadable') unreadable += 1;
    // What finds no place has its count, and no name.
    if (read.state !== 'sample') return;
    const atMs = timeOf(read.sample, nowMs);
    fold.add(read.sample, atMs, policies.wordFor(read.sample.policy, atMs));
  }

  async function nameOf(folded: Folded): Promise<string | null | 'unknown'> {
    const judging = await policies.find(folded.sample.policy, folded.fromMs);
    if (judging.length === 0) return 'unknown';
    const { hook, port } = folded.sample;
    const called = hook === 'input' ? port : await published.called(folded.sample);
    return called === null ? null : denialRecord(folded, judging, called);
  }

  async function name(): Promise<{ records: string[]; sampled: number; notJudged: number; fromMs: number }> {
    const again = held;
    held = [];
    const named = { records: [] as string[], sampled: 0, notJudged: 0, fromMs: Number.POSITIVE_INFINITY };
    published.forget();
    for (const folded of [...again, ...fold.take()]) {
      const record = await nameOf(folded);
      if (record === 'unknown' && !again.includes(folded)) {
        held.push(folded);
      } else if (record === null || record === 'unknown') {
        named.notJudged += folded.count;
      } else {
        named.records.push(record);
        named.sampled += folded.count;
        named.fromMs = Math.min(named.fromMs, folded.fromMs);
      }
    }
    return named;
  }

  return {
    close: async (note, drops, nowMs) => {
      netlink += drops;
      await file.read((line) => take(line, nowMs));
      const counters = await hostCounters(netfilter).catch((thrown: unknown): HostCounters | null => {
        refused(thrown);
        return null;
      });
      if (counters === null) return null;
      const { added, next, lost, forget } = retired.countedSince(note.baseline, counters.denials);
      const { records, sampled, notJudged, fromMs } = await name();
      const window = { atMs: nowMs, denied: added, sampled, unreadable, notJudged, netlink, counterLost: lost };
      const { accounts, gaps } = closeWindow(note.accounts, window, lagMs);
      [unreadable, netlink] = [0, 0];
      const places = file.places();
      forget();
      return {
        note: { ...note, baseline: next, places, accounts },
        records: [...records, ...gaps.map(gapRecord)],
        count: sampled + gaps.reduce((total, { count }) => total + count, 0),
        fromMs: Math.min(fromMs, nowMs, ...gaps.map((gap) => gap.fromMs)),
        outgoing: counters.outgoing,
        moved: added > 0 || hasMoved(note.places, places) || totals(accounts) !== totals(note.accounts),
      };
    },
  };
}

function hasMoved(before: SpoolNote['places'], after: SpoolNote['places']): boolean {
  return JSON.stringify(before) !== JSON.stringify(after);
}

const totals = ({ denied, sampled, notSampled, netlinkDrops }: Accounts): string =>
  [denied, sampled, notSampled, netlinkDrops].join(' ');
