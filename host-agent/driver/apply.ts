/**
 * Makes a policy the one in force on a host. New sets are filled first, under names of their own; then one transaction for each
 * family switches to rules that name them; what stands is read back; sets that nothing names any more go at last. Cut off
 * anywhere, each family judges by the old policy or the new one, whole.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Applied, revisionOlder } from '@edgeward/enforcement-point';
import type { CompiledPolicy } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import { changedSets, FAMILIES, FAMILY_NAMES, type HostState, readHostState } from './host-state.ts';
import type { HostLayout, HostOptions } from './layout/host-layout.ts';
import { hostLayout } from './layout/index.ts';
import { type FamilyMeta, layoutDigest } from './meta.ts';
import type { Netfilter } from './netfilter/index.ts';
import { ruleWrites } from './rule-writes.ts';
import type { SetContents } from './set-contents.ts';
import { type Tally, writeSets } from './set-writes.ts';

export interface Application {
  point: string;
  options: HostOptions;
  netfilter: Netfilter;
  contents: SetContents;
}

export async function applyPolicy(to: Application, desired: CompiledPolicy): Promise<Applied> {
  const { netfilter, contents } = to;
  const before = await readHostState(netfilter, contents);
  const held = Math.max(0, ...FAMILIES.map((family) => before.families[family].meta?.revision ?? 0));
  if (held > desired.revision) throw revisionOlder(to.point, desired.revision, held);
  const layout = layOut(desired, to.options, before);
  const tally: Tally = { writes: 0, bytes: 0 };
  const wanted = FAMILIES.flatMap((family) => layout.families[family].sets);
  await writeSets(to, wanted, before.sets, tally);
  await switchTo(netfilter, layout, before, tally);
  const after = tally.writes === 0 ? before : await readBack(to, layout);
  await collectSets(to, layout, after, tally);
  return { revision: desired.revision, ...tally };
}

/**
 * A policy that is in force keeps its generation, unless somebody changed its rules or sets: then connections may have been let
 * in that should not have been, and a new generation has them judged anew.
 */
function layOut(desired: CompiledPolicy, options: HostOptions, before: HostState): HostLayout {
  const metas = FAMILIES.flatMap((family) => before.families[family].meta ?? []);
  const changed = FAMILIES.some((family) => before.families[family].drift.length > 0) || changedSets(before).length > 0;
  const same = metas.find(({ hash }) => hash === desired.hash);
  if (same !== undefined) return hostLayout(desired, options, changed ? { ...same, hash: '' } : same);
  const natural = hostLayout(desired, options);
  const taken = metas.find(({ generation }) => generation === natural.generation);
  return taken === undefined ? natural : hostLayout(desired, options, taken);
}

async function switchTo(netfilter: Netfilter, layout: HostLayout, before: HostState, tally: Tally): Promise<void> {
  for (const family of FAMILIES) {
    const lines = ruleWrites(before.families[family].rules, layout.families[family], metaOf(layout, family));
    if (lines.length === 0) continue;
    tally.bytes += await netfilter.writeRules(family, lines);
    tally.writes += 1;
  }
}

function metaOf(layout: HostLayout, family: 'inet' | 'inet6'): FamilyMeta {
  const { revision, hash, generation, families } = layout;
  return { revision, hash, generation, digest: layoutDigest(families[family]) };
}

/** A program that ends well has been believed too often. */
async function readBack({ point, netfilter, contents }: Application, layout: HostLayout): Promise<HostState> {
  const after = await readHostState(netfilter, contents);
  const wrong = FAMILIES.flatMap((family) => {
    const { meta, drift } = after.families[family];
    const told = meta?.revision === layout.revision && meta.hash === layout.hash;
    const broken = layout.families[family].sets
      .filter(({ name }) => after.sets.get(name)?.whole !== true)
      .map(({ name }) => `set ${name} holds something else`);
    return [...(told ? [] : [`${FAMILY_NAMES[family]}: another policy is in force`]), ...drift, ...broken];
  });
  if (wrong.length === 0) return after;
  throw new EdgewardError(
    'EDW_ERR_HOST_READ_BACK',
    `applying revision ${layout.revision} to ${point}: ${wrong.join('; ')}`,
    {
      mend: 'Find out who else writes rules and sets of Edgeward on this host; the next attempt writes them again.',
    },
  );
}

/** The kernel lets go of a set a while after its last rule went. */
const TRY_AGAIN_MS = [0, 20, 100, 400];

/** What can't go yet is left to the next apply: the policy is in force. */
async function collectSets(to: Application, layout: HostLayout, state: HostState, tally: Tally): Promise<void> {
  const wanted = new Set(FAMILIES.flatMap((family) => layout.families[family].sets.map(({ name }) => name)));
  let left = [...state.sets.keys()].filter((name) => !wanted.has(name));
  for (const pauseMs of TRY_AGAIN_MS) {
    if (left.length === 0) return;
    await sleep(pauseMs);
    const headers = new Map((await to.netfilter.setHeaders()).map((header) => [header.name, header]));
    left = left.filter((name) => headers.has(name));
    const free = left.filter((name) => headers.get(name)?.references === 0);
    if (free.length === 0) continue;
    tally.writes += 1;
    const bytes = await to.netfilter.writeSets(free.map((name) => `destroy ${name}`)).catch((thrown: unknown) => {
      if (thrown instanceof EdgewardError && thrown.code === 'EDW_ERR_POINT_REFUSED') return null;
      throw thrown;
    });
    tally.bytes += bytes ?? 0;
    if (bytes === null) continue;
    left = left.filter((name) => !free.includes(name));
  }
}
