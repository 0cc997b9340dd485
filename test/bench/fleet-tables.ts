/** What a fleet was found to do, in words and numbers. Nothing here measures. */
import type { Table } from './benchmark.ts';
import { POINTS_PER_CERTIFICATE } from './fleet-estate.ts';
import type { Wire } from './fleet-messages.ts';
import type { WholeFound } from './fleet-others.ts';
import { ASKED_ANEW, type Changed, type ChangeKind, type FleetFound } from './fleet-run.ts';
import { fixed, median, quantile, SPREAD_HEAD, spread } from './statistics.ts';

/** A fleet, and how it is followed. */
export interface Row {
  way: 'HTTPS' | 'NATS';
  found: FleetFound;
}

const MEBI = 2 ** 20;
const WORDS: Record<ChangeKind, string> = {
  point: 'a workload moves, of concern to one point',
  block: 'to 20',
  everywhere: 'to all',
  version: 'a new version of the policy',
};

const count = (value: number): string => value.toLocaleString('en');
const mebi = (bytes: number): string => fixed(bytes / MEBI);
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

export function appliedTable(rows: Row[]): Table {
  return {
    head: ['commit → applied, ms', 'points', 'changes', 'concerned', ...SPREAD_HEAD, 'last head served, median'],
    rows: rows.flatMap(({ way, found }) =>
      found.changed.map((it) => [
        `${way}: ${WORDS[it.kind]}`,
        count(found.plan.points),
        count(it.times),
        count(it.concerned),
        ...spread(it.appliedMs),
        fixed(median(it.servedMs)),
      ]),
    ),
  };
}

const QUESTIONS = ['question 200', 'joint question 200'];

/** Of requests of these kinds together. */
function over(wire: Wire, kinds: readonly string[]): Wire[string] {
  const all = { requests: 0, sentBytes: 0, receivedBytes: 0 };
  for (const kind of kinds) {
    const { requests = 0, sentBytes = 0, receivedBytes = 0 } = wire[kind] ?? {};
    all.requests += requests;
    all.sentBytes += sentBytes;
    all.receivedBytes += receivedBytes;
  }
  return all;
}

/** For each point concerned, with the question that follows: what the one before it took is the change's before. */
function asked({ times, concerned, wire }: Changed): Record<'requests' | 'asked' | 'answered', number> {
  const own = times * concerned;
  const { requests, receivedBytes } = over(wire, QUESTIONS);
  return {
    requests: requests / own,
    asked: over(wire, [ASKED_ANEW]).sentBytes / own,
    answered: receivedBytes / own,
  };
}

export function wireTable(found: FleetFound): Table {
  const row = (what: string, it: ReturnType<typeof asked>): string[] => [
    what,
    ...[it.requests, it.asked, it.answered, it.asked + it.answered].map((number) => fixed(number)),
  ];
  const lines = found.changed.flatMap((it) => {
    const own = it.times * it.concerned;
    const { requests, sentBytes, receivedBytes } = over(it.wire, ['blob 200']);
    const blobs = { requests: requests / own, asked: sentBytes / own, answered: receivedBytes / own };
    return [
      row(`${WORDS[it.kind]}: answer, and the question that follows with what there is to tell`, asked(it)),
      ...(it.kind === 'version' ? [row('and what it names: approval, rules', blobs)] : []),
    ];
  });
  return { head: ['for each point concerned, bytes', 'requests', 'asked', 'answered', 'together'], rows: lines };
}

export function startTable(rows: Row[]): Table {
  return {
    head: ['cold start', 'points', ...SPREAD_HEAD, 'store, CPU s', 'clients, CPU s'],
    rows: rows.map(({ way, found: { plan, cold } }) => [
      `${way}: told to start → applied, s`,
      count(plan.points),
      ...spread(cold.tookMs.map((ms) => ms / 1000)),
      fixed(cold.storeSeconds),
      fixed(cold.clientSeconds),
    ]),
  };
}

export function memoryTable(rows: Row[]): Table {
  return {
    head: [
      'memory, MiB',
      'points',
      'workloads',
      'rules',
      'store before clients',
      'store serving',
      'greatest',
      'of it held by JavaScript',
      'a service with one point',
    ],
    rows: rows.map(({ way, found: { plan, estate, storeMemory, onePointMemory } }) => [
      way,
      count(plan.points),
      count(estate.workloads),
      count(estate.rules),
      mebi(storeMemory.alone.residentBytes),
      mebi(storeMemory.serving.residentBytes),
      mebi(storeMemory.serving.peakBytes),
      mebi(storeMemory.heldBytes),
      mebi(onePointMemory.residentBytes),
    ]),
  };
}

export function comparedTable(found: FleetFound, whole: WholeFound): Table {
  const own = changeOf(found, 'everywhere');
  const ratio = (theirs: number, ours: number): string => fixed(theirs / ours);
  const line = (what: string, ours: number, theirs: number): string[] => [
    what,
    fixed(ours),
    fixed(theirs),
    ratio(theirs, ours),
  ];
  return {
    head: [`one workload, of concern to all ${count(whole.clients)} points`, 'store', 'whole policy', 'ratio'],
    rows: [
      line('commit → in memory, median, ms', median(own.appliedMs), median(whole.changedMs)),
      line('p99, ms', quantile(own.appliedMs, 0.99), quantile(whole.changedMs, 0.99)),
      line('answered for each point, kB', asked(own).answered / 1000, whole.packedBytes / 1000),
      line('server, CPU s', own.storeSeconds / own.times, whole.serverSeconds / whole.changes),
      line('clients, CPU s', own.clientSeconds / own.times, whole.clientSeconds / whole.changes),
    ],
  };
}

function changeOf(found: FleetFound, kind: ChangeKind): Changed {
  const it = found.changed.find((change) => change.kind === kind);
  if (it === undefined) throw new Error(`no change of kind ${kind} was measured`);
  return it;
}

export function notesOf(rows: Row[], whole: WholeFound): string[] {
  return [
    aims(rows),
    pollsOf(rows),
    proposing(rows),
    wrongs(rows, whole),
    shared(),
    `The whole policy is ${fixed(whole.bytes / 1e6)} MB of JSON, ${fixed(whole.packedBytes / 1e6)} MB packed; it is neither verified nor compiled, and its clock starts at the server.`,
  ];
}

function aims(rows: Row[]): string {
  const [small, large] = rows.map(({ found }) => found);
  if (small === undefined || large === undefined) return '';
  const p99 = (found: FleetFound, kind: ChangeKind): string =>
    `${fixed(quantile(changeOf(found, kind).appliedMs, 0.99) / 1000)} s`;
  const bytes = (kind: ChangeKind): string => {
    const { asked: sent, answered } = asked(changeOf(small, kind));
    return fixed(sent + answered);
  };
  const together = large.storeMemory.serving.residentBytes + large.onePointMemory.residentBytes;
  return [
    `Aims: applied at 1,000 points p99 ≤ 2 s: ${p99(small, 'everywhere')} for a workload, ${p99(small, 'version')} for a version;`,
    `at 5,000 ≤ 5 s: ${p99(large, 'everywhere')} and ${p99(large, 'version')};`,
    `under 1 KB for each point concerned: ${bytes('point')} bytes where it is one, ${bytes('everywhere')} where it is all;`,
    `cold start of 1,000 ≤ 30 s: ${fixed(quantile(small.cold.tookMs, 1) / 1000)} s;`,
    `store and a service under 1 GB: ${mebi(together)} MiB.`,
  ].join(' ');
}

function pollsOf(rows: Row[]): string {
  const [row] = rows;
  if (row === undefined) return '';
  const { quiet, plan } = row.found;
  const answered = Object.values(quiet.wire).filter((of) => of.requests > 0);
  const bytes = sum(answered.map((of) => of.sentBytes + of.receivedBytes));
  const perMinute = (bytes / plan.points / quiet.lastedMs) * 60_000;
  const { requests, sentBytes, receivedBytes } = over(quiet.wire, ['joint question 204']);
  const share = (seconds: number): string => `${fixed((seconds / quiet.lastedMs) * 100_000)} %`;
  return `Where nothing changes, a point sends and is sent ${fixed(perMinute)} bytes a minute: questions of ${fixed((sentBytes + receivedBytes) / requests)} bytes for five points with their answers, one after the other on one connection. ${count(plan.points)} points cost the store ${share(quiet.storeSeconds)} of a core that way, and their own processes ${share(quiet.clientSeconds)}.`;
}

function proposing(rows: Row[]): string {
  const words = rows.map(
    ({ found }) => `${fixed(median(found.proposedMs) / 1000)} s at ${count(found.estate.rules)} rules`,
  );
  const first = rows.map(({ found }) => `${fixed(found.firstVersionMs / 1000)} s at ${count(found.plan.points)}`);
  return `Proposing a version takes the store ${words.join(', ')} (median), before the commit, mostly in a process of its own. The first version was served to all points ${first.join(', ')} after it.`;
}

function wrongs(rows: Row[], whole: WholeFound): string {
  const changes = rows.flatMap(({ found }) => found.changed);
  const missing = sum(changes.map((it) => it.missing)) + sum(rows.map(({ found }) => found.cold.missing));
  const errors = rows.flatMap(({ found }) => Object.entries(found.errors).map(([code, n]) => `${n} ${code}`));
  const end = errors.length === 0 ? 'none had an error' : errors.join(', ');
  return `Points that did not get a change within two minutes: ${missing} (whole policy: ${whole.missing}); that applied one which did not concern them: ${sum(changes.map((it) => it.others))}; that were behind at the end: ${sum(rows.map(({ found }) => found.behind))}; at the end ${end}.`;
}

function shared(): string {
  return `Every point is a follower of its own with connections of its own, its state on a memory disk; ${POINTS_PER_CERTIFICATE} share a certificate and, as those of one service do, the signatures that it verified; 250 to 1,000 are in a process. Store and clients share two cores: on 5,000 machines the clients' part takes the time of one of them.`;
}
