/**
 * What this host denies, or would deny: exact counts from the counters of the kernel, samples named by the policy that they were
 * taken under, and their way to the service. What the counters have and no sample has becomes a gap with its number. All that
 * was told is in the spool with where the counters and samples stood then, so that a kill loses and doubles nothing. What
 * the host begins itself is counted on the way. Nothing here holds up traffic; an apply waits for one window, and for no service.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DenySpool, openDenySpool } from '@edgeward/deny-spool';
import type { CompiledPolicy } from '@edgeward/policy';
import { type Clock, createWorkQueue, EdgewardError, type Logger, messageOf, repeatedly } from '@edgeward/runtime';
import { createToolRun, type DenyCounter, type Netfilter, type RunTool } from '../../driver/index.ts';
import { openOutgoing } from '../outgoing/outgoing-totals.ts';
import type { DenialCounters, Denials, SendDenials } from '../parts.ts';
import { isSettled, newAccounts } from './accounts.ts';
import { spoolGapRecord } from './denial-record.ts';
import { openKeptPolicies } from './kept-policies.ts';
import { createPublishedPorts } from './published-ports.ts';
import { createRetired } from './retired-counters.ts';
import { boundSamples, openSampleFile, type SampleFile } from './sample-file.ts';
import { type Sender, startSender } from './sender.ts';
import { noteOf, type SpoolNote } from './spool-note.ts';
import { superviseUlogd, type Ulogd } from './ulogd.ts';
import { createWindows, type Windows } from './window-close.ts';

export interface DenialsOptions {
  /** Of the agent: the spool and the policies of the last days are below it, in `denials`. */
  stateDir: string;
  /** Of the agent, in memory: samples, and what ulogd is told. */
  runtimeDir: string;
  netfilter: Netfilter;
  send: SendDenials;
  clock: Clock;
  logger: Logger;
  /** Words before every command, as of `createToolRun`. */
  where?: readonly string[];
  runTool?: RunTool;
  /** Equal denials of so long are one record: 10 s. A sample needs a second to get here. */
  windowMs?: number;
  /** Of the spool: 64 MiB. */
  maxSpoolBytes?: number;
  /** Where ulogd is looked for; the system's folders. */
  ulogdFolders?: readonly string[];
}

export interface HostDenials extends Denials {
  /**
   * An apply of this policy begins: it is kept, so that its first sample can be named, and counters that the apply will take
   * away are read. Never rejects.
   */
  policyComing(policy: CompiledPolicy): Promise<void>;
  /** The last that is known of counters that are about to go: what the driver tells by `onRetired`. */
  countersRetired(counters: readonly DenyCounter[]): void;
}

/** Nothing sampled and nothing under way: counters are read so many windows apart. */
const QUIET_WINDOWS = 6;

interface Opened {
  spool: DenySpool;
  file: SampleFile;
  windows: Windows;
  sender: Sender;
}

export async function createDenials(options: DenialsOptions): Promise<HostDenials> {
  const { stateDir, runtimeDir, netfilter, clock, logger, where = [], windowMs = 10_000 } = options;
  const folder = join(stateDir, 'denials');
  const runTool = options.runTool ?? createToolRun({ where });
  const samplesPath = join(runtimeDir, 'samples.json');
  const policies = await openKeptPolicies(join(folder, 'policies'), clock);
  const published = createPublishedPorts(netfilter, runTool);
  const folders = options.ulogdFolders === undefined ? {} : { folders: options.ulogdFolders };
  const ulogd: Ulogd = superviseUlogd({ runtimeDir, samplesPath, where, clock, logger, ...folders });
  const boot = await bootId();
  const queue = createWorkQueue();
  const complaints = new Map<string, string>();
  let note: SpoolNote = { v: 1, boot, baseline: {}, places: null, accounts: newAccounts(clock.now()) };
  const retired = createRetired();
  const outgoing = await openOutgoing({
    path: join(folder, 'outgoing.json'),
    boot,
    everyMs: QUIET_WINDOWS * windowMs,
    trouble: (thrown) => {
      if (thrown === null) complaints.delete(OUTGOING);
      else complain(OUTGOING, thrown);
    },
  });
  let opened: Opened | null = null;
  let closed = false;
  let quiet = 0;

  /** Once for each message, until it is over. */
  function complain(about: string, thrown: unknown): void {
    const words = `${about}: ${messageOf(thrown)}`;
    const code = thrown instanceof EdgewardError ? thrown.code : null;
    if (complaints.get(about) !== words) logger.warn({ event: 'denials_trouble', code }, words);
    complaints.set(about, words);
  }

  /** Tried again with every window: a disk that is full at the start must not stop an agent. */
  async function open(): Promise<Opened | null> {
    if (opened !== null) return opened;
    try {
      const { maxSpoolBytes } = options;
      const bounds = maxSpoolBytes === undefined ? {} : { maxBytes: maxSpoolBytes };
      const spool = await openDenySpool({ folder: join(folder, 'spool'), gapRecord: spoolGapRecord, ...bounds });
      tellOfDamage(spool);
      note = noteOf(spool.note(), boot, clock.now());
      const file = await openSampleFile({ path: samplesPath, places: note.places, reopen: ulogd.reopen });
      const refused = (thrown: unknown): void => complain('reading counters of denials', thrown);
      const windows = createWindows({ netfilter, file, policies, published, retired, lagMs: windowMs, refused });
      const sender = startSender({ spool, send: options.send, clock, logger });
      opened = { spool, file, windows, sender };
      complaints.delete(OPENING);
      return opened;
    } catch (thrown) {
      complain(OPENING, thrown);
      return null;
    }
  }

  /** The end of what a kill interrupted is nothing that anybody was told of; records of a disk that is damaged were. */
  function tellOfDamage(spool: DenySpool): void {
    const { tornBytes } = spool.status();
    if (tornBytes === 0) return;
    logger.warn({ event: 'denials_torn', bytes: tornBytes }, 'denials on disk were cut off by a kill, or damaged');
  }

  async function closeWindow(): Promise<void> {
    const parts = await open();
    // Ulogd writes all the same, and what it fills is the memory of this host.
    if (parts === null) return boundSamples(samplesPath);
    const { spool, file, windows, sender } = parts;
    const window = await windows.close(note, await ulogd.netlinkDrops(), clock.now());
    if (window === null) return file.bound();
    complaints.delete('reading counters of denials');
    note = window.note;
    await outgoing.take(window.outgoing, clock.now());
    const { records, count, fromMs, moved } = window;
    quiet = !moved && isSettled(note.accounts) && ulogd.warning() === null ? quiet + 1 : 0;
    if (!moved && records.length === 0 && spool.status().shed === null) return;
    const entry = { records, count, fromMs, toMs: clock.now(), note: JSON.stringify(note) };
    const appended = await spool.append(entry);
    tellOfSpool(spool);
    if (appended.state === 'written' && appended.next - appended.first > records.length)
      note = { ...note, accounts: { ...note.accounts, gaps: note.accounts.gaps + 1 } };
    await file.settle();
    sender.wake(fromMs);
  }

  function tellOfSpool(spool: DenySpool): void {
    const { cause, shed } = spool.status();
    if (cause === null) complaints.delete(KEEPING);
    // Without the number: it would be another complaint with each window.
    else
      complain(
        KEEPING,
        cause === 'disk' ? 'the disk takes no more; they are counted' : 'the spool is full; they are counted',
      );
    if (shed !== null) logger.debug({ event: 'denials_shed', count: shed.count }, 'denials are counted and not kept');
  }

  const run = (): Promise<void> =>
    queue.run(closeWindow).catch((thrown: unknown) => complain('closing a window of denials', thrown));

  /** A new source is always sampled, so what is denied while all is quiet shows in the samples. */
  async function isQuiet(turn: number): Promise<boolean> {
    return quiet > 1 && turn % QUIET_WINDOWS !== 0 && opened !== null && !(await opened.file.hasMore());
  }

  const end = repeatedly(clock, windowMs, async (turn) => {
    if (!(await isQuiet(turn))) await run();
  });
  await queue.run(open);

  const keep = (policy: CompiledPolicy, sampled: string): Promise<void> =>
    queue
      .run(() => policies.keep(policy, sampled))
      .catch((thrown: unknown) => complain('keeping a policy for denials', thrown));

  return {
    policyApplied: (policy, _generation, sampled) => {
      if (policy !== null) void keep(policy, sampled || policy.hash.slice(0, 8));
      quiet = 0;
    },
    policyComing: async (policy) => {
      await keep(policy, policy.hash.slice(0, 8));
      await run();
    },
    countersRetired: (counters) => {
      retired.add(counters);
      quiet = 0;
      // They are known to nobody else by now.
      void run();
    },
    counters: () => countersOf(note, opened?.spool.status().pending ?? 0),
    waitingSinceMs: () => opened?.sender.oldestMs() ?? null,
    outgoing: outgoing.told,
    warnings: () =>
      [ulogd.warning(), opened?.sender.warning() ?? null, ...complaints.values()].filter((it) => it !== null),
    close: async () => {
      if (closed) return;
      closed = true;
      end();
      await ulogd.close().catch((thrown: unknown) => complain('ending ulogd', thrown));
      await run();
      await queue.settled();
      await outgoing.close();
      await opened?.sender.close();
      await opened?.spool.close();
    },
  };
}

const OPENING = 'opening the spool of denials';
const KEEPING = 'keeping denials';
const OUTGOING = 'counting what the host begins itself';

function countersOf({ accounts }: SpoolNote, pending: number): DenialCounters {
  const { denied, sampled, notSampled, netlinkDrops, gaps } = accounts;
  return { denied, sampled, notSampled, netlinkDrops, pending, gaps };
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => 'unknown')).trim();
}
