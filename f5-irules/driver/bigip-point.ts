import { setTimeout as sleep } from 'node:timers/promises';
import type { EnforcementPoint } from '@edgeward/enforcement-point';
import type { Logger } from '@edgeward/runtime';
import { inspectPoint } from './actual.ts';
import { applyPolicy } from './apply.ts';
import { INTERNAL_GROUPS, inPartition } from './box-paths.ts';
import { boxText } from './box-text.ts';
import { activeUnit, findActive } from './cluster.ts';
import { createHazardMemory } from './hazard-memory.ts';
import { findHazards, type Hazard, unusableHazards } from './hazards.ts';
import { readHeldMap } from './held.ts';
import { createIcontrol, type Icontrol, objectPath } from './icontrol/index.ts';
import { type EnforcementRules, enforcementRules } from './irules.ts';
import { unknownBox } from './known-box.ts';
import { MAP } from './layout/index.ts';

/**
 * One BIG-IP, or a pair of them. A policy is written beside the one in force, compared, and brought into force by one
 * write on the active unit; the pair is synced when nothing of anybody else would be carried along. Customers' objects are
 * read and never written.
 */
export interface BigipPointOptions {
  name: string;
  /** `https://bigip-a.example`: one, or the two units of a pair. */
  urls: readonly string[];
  user: string;
  /** Closed to other users. */
  passwordFile: string;
  /** PEM of the authorities that vouch for the boxes; without it those of the system. */
  ca?: string;
  logger: Logger;
  /** A config-sync may carry changes of others that were waiting before. Default false. */
  syncOthersChanges?: boolean;
  /** For one call. */
  timeoutMs?: number;
  /** How long a pair may take to be in sync: 60 s. */
  syncTimeoutMs?: number;
  /** Revisions whose groups stay, so that one write brings them back: 3. */
  keptRevisions?: number;
  /** How long a group must have been out of force before it is deleted: 60 s. */
  collectAfterMs?: number;
  /** A client for one unit; tests hand in their own. */
  connect?: (url: string) => Icontrol;
}

export interface BigipPoint extends EnforcementPoint {
  probe(): Promise<string>;
  /** What on the box may keep the policy from being enforced as it is written. Writes nothing. */
  hazards(): Promise<Hazard[]>;
}

/** Connects at the first call. Throws EDW_ERR_BIGIP_URL and EDW_ERR_BIGIP_CERTIFICATE. */
export function createBigipPoint(options: BigipPointOptions): BigipPoint {
  const { name: point, logger } = options;
  const boxes = options.urls.map(options.connect ?? clientFor(options));
  const known = unknownBox();
  const memory = createHazardMemory(Date.now);
  let rules: Promise<EnforcementRules> | null = null;
  let queue: Promise<unknown> = Promise.resolve();

  const ownRules = (): Promise<EnforcementRules> => {
    rules ??= enforcementRules();
    return rules;
  };
  /** Looking in the middle of an apply would see its halves. */
  function exclusively<T>(work: () => Promise<T>): Promise<T> {
    const next = queue.then(work, work);
    queue = next.catch(() => {});
    return next;
  }

  return {
    name: point,
    inspect: () => exclusively(async () => inspectPoint({ point, boxes, rules: await ownRules(), known })),
    apply: (desired) =>
      exclusively(async () => {
        const task = { point, boxes, rules: await ownRules(), known, logger, ...settingsOf(options) };
        return applyPolicy(task, desired);
      }),
    probe: () => probe(point, boxes, known.active),
    hazards: async () => {
      const { box } = await activeUnit(point, boxes, known.active);
      const { entries } = (await readHeldMap(box))?.policy ?? { entries: new Map() };
      const unusable = known.layout === null ? [] : unusableHazards(known.layout);
      return [...unusable, ...(await findHazards(box, entries, await ownRules(), memory))];
    },
    close: async () => {
      await patiently(queue);
      await Promise.all(boxes.map((box) => box.close()));
    },
  };
}

const CLOSE_MS = 10_000;

/** An apply may be waiting for a pair to be in sync; whatever is cut off is gone on with by the next process. */
async function patiently(work: Promise<unknown>): Promise<void> {
  const patience = new AbortController();
  const limit = sleep(CLOSE_MS, undefined, { signal: patience.signal, ref: false }).catch(() => {});
  await Promise.race([work, limit]);
  patience.abort();
}

function clientFor(options: BigipPointOptions): (url: string) => Icontrol {
  const { user, passwordFile, logger, ca, timeoutMs } = options;
  const optional = { ...(ca !== undefined && { ca }), ...(timeoutMs !== undefined && { timeoutMs }) };
  return (url) => createIcontrol({ url, user, passwordFile, logger, ...optional });
}

function settingsOf({ keptRevisions, collectAfterMs, syncOthersChanges, syncTimeoutMs }: BigipPointOptions) {
  return {
    keptRevisions: keptRevisions ?? 3,
    graceMs: collectAfterMs ?? 60_000,
    syncOthersChanges: syncOthersChanges ?? false,
    syncTimeoutMs: syncTimeoutMs ?? 60_000,
  };
}

/**
 * The map's description tells the revision; its generation changes with every write, and when a box loads what was saved.
 * Of a pair the unit is part of it: after a failover another configuration may be in force.
 */
async function probe(point: string, boxes: readonly Icontrol[], active: string | null): Promise<string> {
  const [only] = boxes;
  const box = only !== undefined && boxes.length === 1 ? only : (await findActive(point, boxes, active)).box;
  const path = objectPath(INTERNAL_GROUPS, inPartition(MAP));
  const map = await box.get(path, { $select: 'generation,description' });
  return map === null ? `${box.url} empty` : `${box.url} ${Number(map.generation)} ${boxText(map.description)}`;
}
