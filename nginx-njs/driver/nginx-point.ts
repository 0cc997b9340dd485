import type { Actual, Applied, EnforcementPoint } from '@edgeward/enforcement-point';
import type { CompiledPolicy } from '@edgeward/policy';
import { EdgewardError, type Logger, messageOf } from '@edgeward/runtime';
import { formatActive } from '../src/layout.ts';
import { type Entry, entriesOf, type Layout, layOut } from './entries.ts';
import { hasLastKnown, readLastKnown, writeLastKnown } from './last-known-file.ts';
import { chunksOf, differingEntries, linesOf } from './push-chunks.ts';
import { createPushClient, type PointState, type PushClient } from './push-client.ts';
import { zoneBytesFor } from './zone-size.ts';

/**
 * One NGINX. What is new is written beside what is in force; the last write switches; what nobody reads any more is
 * deleted a while later. Nothing of the policy in force is ever changed in place, except to repair it.
 */
export interface NginxPointOptions {
  name: string;
  /** Where http.conf's push server listens, `http://127.0.0.1:9180`. */
  push: string;
  tokenFile: string;
  /** The file that NGINX loads after a start. */
  lastKnownFile: string;
  logger: Logger;
  /** For one call: 5 s. */
  timeoutMs?: number;
  /** How long what was replaced stays, for requests that began before the switch: 2 s. */
  collectAfterMs?: number;
}

export interface NginxPoint extends EnforcementPoint {
  /** Exact totals that NGINX counted since it started; `epoch` changes with each start. */
  counts(): Promise<VerdictCounts>;
  probe(): Promise<string>;
}

export interface VerdictCounts {
  epoch: string;
  counts: { bind: string; verdict: string; reason: string; total: number }[];
}

/** What this driver knows to lie in the zone, as long as the zone lives. */
interface Known {
  bootId: string;
  contents: Set<string>;
  layout: Layout | null;
  switchedAtMs: number;
}

export function createNginxPoint(options: NginxPointOptions): NginxPoint {
  const client = createPushClient({
    point: options.name,
    url: options.push,
    tokenFile: options.tokenFile,
    timeoutMs: options.timeoutMs ?? 5000,
  });
  const collectAfterMs = options.collectAfterMs ?? 2000;
  const known: Known = { bootId: '', contents: new Set(), layout: null, switchedAtMs: 0 };
  let timer: NodeJS.Timeout | null = null;
  let queue: Promise<unknown> = Promise.resolve();

  /** Applying and collecting never overlap: what one writes the other might delete. */
  function exclusively<T>(work: () => Promise<T>): Promise<T> {
    const next = queue.then(work, work);
    queue = next.catch(() => {});
    return next;
  }

  function scheduleCollect(): void {
    timer ??= setTimeout(() => {
      timer = null;
      exclusively(() => collect(client, known)).catch((cause: unknown) => {
        options.logger.warn(
          { event: 'collect_failed', point: options.name, cause: messageOf(cause) },
          'old entries stay for now',
        );
      });
    }, collectAfterMs).unref();
  }

  return {
    name: options.name,
    inspect: () => inspect(client, known, options.lastKnownFile),
    apply: (desired) =>
      exclusively(async () => {
        const applied = await applyTo(client, known, desired, options);
        if (applied.writes > 0) scheduleCollect();
        return applied;
      }),
    probe: async () => {
      const state = await client.state();
      return `${state.bootId} ${state.active === null ? 'empty' : formatActive(state.active)}`;
    },
    counts: async () => {
      const { epoch, counts } = await client.counts();
      return { epoch, counts: counts.map(parseCount) };
    },
    close: async () => {
      if (timer !== null) clearTimeout(timer);
      await queue;
      client.close();
    },
  };
}

async function inspect(client: PushClient, known: Known, lastKnownFile: string): Promise<Actual> {
  const state = await client.state();
  if (state.active === null) return { state: 'empty' };
  const { revision, hash } = state.active;
  const drift: string[] = [];
  if (!(await hasLastKnown(lastKnownFile))) drift.push(`the last-known file ${lastKnownFile} is missing`);
  const expected = await expectedEntries(known, hash, lastKnownFile);
  const differing = await differingEntries(client, expected);
  if (differing.length > 0)
    drift.push(`about ${differing.length} of ${expected.length} entries differ from what was pushed`);
  return { state: 'loaded', revision, hash, drift };
}

/** What should be in the zone for the policy in force; a driver that is new reads its predecessor's last-known file. */
async function expectedEntries(known: Known, hash: string, lastKnownFile: string): Promise<Entry[]> {
  if (known.layout?.active.hash === hash) return [...entriesOf(known.layout)];
  const last = await readLastKnown(lastKnownFile);
  return last?.active.hash === hash ? last.entries : [];
}

async function applyTo(
  client: PushClient,
  known: Known,
  desired: CompiledPolicy,
  options: NginxPointOptions,
): Promise<Applied> {
  const layout = layOut(desired);
  const state = await client.state();
  refuseOlder(state, desired, options.name);
  if (state.bootId !== known.bootId) Object.assign(known, { bootId: state.bootId, contents: new Set(), layout: null });
  const missing = await missingEntries(client, known, state, layout);
  let applied: Applied = { revision: desired.revision, writes: 0, bytes: 0 };
  applied = await writeEntries(client, known, layout, missing, applied);
  const active = formatActive(layout.active);
  if (state.active === null || formatActive(state.active) !== active) {
    await client.switchTo(known.bootId, active);
    known.switchedAtMs = Date.now();
    applied = { ...applied, writes: applied.writes + 1, bytes: applied.bytes + active.length };
  }
  const first = known.layout === null;
  known.layout = layout;
  known.contents = new Set(layout.contents.keys());
  if (first || applied.writes > 0 || !(await hasLastKnown(options.lastKnownFile))) {
    await writeLastKnown(options.lastKnownFile, desired, layout);
  }
  return applied;
}

function refuseOlder(state: PointState, desired: CompiledPolicy, point: string): void {
  if (state.active === null || state.active.revision <= desired.revision) return;
  throw new EdgewardError(
    'EDW_ERR_REVISION_OLDER',
    `${point} holds revision ${state.active.revision}; ${desired.revision} is older`,
    {
      mend: 'Let one sync service with one state folder push to this point.',
    },
  );
}

/** Headers come last, so that none ever points to a table that is not there. */
async function missingEntries(client: PushClient, known: Known, state: PointState, layout: Layout): Promise<Entry[]> {
  // Somebody wrote this zone before us, or it claims to hold exactly this: look instead of believing.
  const verify = state.active !== null && (known.layout === null || state.active.hash === layout.active.hash);
  if (verify) return differingEntries(client, [...entriesOf(layout)]);
  const missing: Entry[] = [];
  for (const [content, entries] of layout.contents) if (!known.contents.has(content)) missing.push(...entries);
  if (known.layout?.active.generation !== layout.active.generation) missing.push(...layout.headers);
  return missing;
}

async function writeEntries(
  client: PushClient,
  known: Known,
  layout: Layout,
  missing: Entry[],
  before: Applied,
): Promise<Applied> {
  let { writes, bytes } = before;
  let cleared = false;
  for (const chunk of chunksOf(missing)) {
    const lines = linesOf(chunk);
    try {
      await client.set(known.bootId, lines);
    } catch (cause) {
      if (!(cause instanceof EdgewardError) || cause.code !== 'EDW_ERR_ZONE_TOO_SMALL') throw cause;
      if (cleared) throw tooSmall(cause, layout);
      // The zone may be full of what older revisions left; make room once.
      cleared = true;
      await collect(client, known, layout);
      await client.set(known.bootId, lines).catch((again: unknown) => {
        throw tooSmall(again, layout);
      });
    }
    writes += 1;
    bytes += lines.length;
  }
  return { revision: before.revision, writes, bytes };
}

/** Deletes every entry that belongs neither to the policy in force nor to the one being written. */
async function collect(client: PushClient, known: Known, coming?: Layout): Promise<void> {
  const state = await client.state();
  if (state.bootId !== known.bootId || known.layout === null) return;
  const sinceSwitch = Date.now() - known.switchedAtMs;
  if (sinceSwitch < 1000) await new Promise((resolve) => setTimeout(resolve, 1000 - sinceSwitch));
  const kept = new Set<string>();
  for (const layout of coming === undefined ? [known.layout] : [known.layout, coming])
    for (const [key] of entriesOf(layout)) kept.add(key);
  const garbage = (await client.keys()).filter((key) => !kept.has(key));
  for (let at = 0; at < garbage.length; at += 1000) await client.remove(known.bootId, garbage.slice(at, at + 1000));
}

function tooSmall(cause: unknown, layout: Layout): unknown {
  if (!(cause instanceof EdgewardError) || cause.code !== 'EDW_ERR_ZONE_TOO_SMALL') return cause;
  const megabytes = zoneBytesFor(entriesOf(layout)) / 1048576;
  return new EdgewardError(cause.code, `${cause.message}; this policy needs zone=edgeward:${megabytes}m`, {
    mend: `Write zone=edgeward:${megabytes}m in http.conf and reload NGINX; the old policy stays in force until then.`,
    cause,
  });
}

function parseCount([key, total]: [string, number]): VerdictCounts['counts'][number] {
  const [bind = '', verdict = '', reason = ''] = key.split('\t');
  return { bind, verdict, reason, total };
}
