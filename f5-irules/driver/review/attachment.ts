import { isDeepStrictEqual } from 'node:util';
import type { Mode } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import { SYSTEM_CONFIG, VIRTUALS } from '../box-paths.ts';
import { boxText } from '../box-text.ts';
import { activeUnit, requireActive, type Unit } from '../cluster.ts';
import { normalText, readHeldMap, readRuleText, readVirtual } from '../held.ts';
import { type Icontrol, objectPath } from '../icontrol/index.ts';
import type { EnforcementRules } from '../irules.ts';
import type { MapEntry } from '../layout/index.ts';
import { beginRulesSync, endRulesSync, type RulesSync } from './attachment-sync.ts';
import { withOwnRules } from './own-rules.ts';
import { readProfiles, readVirtualFacts, type VirtualFacts } from './virtual-facts.ts';

/**
 * The one change to a customer's virtual server: our rules come first in its list, or leave it; all others stay, in their
 * order. Every virtual server is looked at before any is written. iControl REST has no compare-and-swap: the list is read
 * again right before it is written, and after it, and whoever else wrote it is found unless it was in the moment between.
 */
export interface AttachmentTask {
  point: string;
  boxes: readonly Icontrol[];
  rules: EnforcementRules;
  /** `protocol` of the policy's object; null where no policy is known. */
  virtuals: readonly { fullPath: string; protocol: 'http' | 'tcp' | null }[];
  does: 'attach' | 'detach';
  dryRun: boolean;
  /** Attach although everything would be denied there. */
  force: boolean;
  syncTimeoutMs: number;
}

export interface AttachmentResult {
  point: string;
  unit: string;
  url: string;
  changes: RulesChange[];
  /** What became of the pair: `alone` where there is none, `due` where a person has to sync it. */
  sync: RulesSync['end'] | 'alone' | 'none';
  /** What a person runs where it is due. */
  syncCommand: string | null;
}

export interface RulesChange {
  virtual: string;
  /** Full paths of rules, in order. Equal: there is nothing to do. */
  before: string[];
  after: string[];
  /** Of the entry in force; null where there is none. */
  mode: Mode | null;
  /** What a person should know before it is done. */
  warnings: string[];
}

export async function changeRules(task: AttachmentTask): Promise<AttachmentResult> {
  const { point, boxes } = task;
  const unit = await activeUnit(point, boxes, null);
  const changes = await changesFor(task, unit);
  const due = changes.filter(({ before, after }) => !isDeepStrictEqual(before, after));
  const sync = due.length === 0 || unit.pair === null ? null : await beginRulesSync(unit, unit.pair);
  const result = (end: AttachmentResult['sync']): AttachmentResult => ({
    ...{ point, unit: unit.name, url: unit.box.url, changes },
    sync: end,
    syncCommand: sync?.command ?? null,
  });
  if (due.length === 0) return result(unit.pair === null ? 'alone' : 'none');
  if (task.dryRun) return result(sync?.end ?? 'alone');
  await writeAll(task, unit, due);
  return result(sync === null ? 'alone' : await endRulesSync(point, unit, sync, due, task.syncTimeoutMs));
}

async function changesFor(task: AttachmentTask, unit: Unit): Promise<RulesChange[]> {
  const { box } = unit;
  const entries = (await readHeldMap(box))?.policy?.entries ?? new Map<string, MapEntry>();
  const profiles = await readProfiles(box);
  const changes: RulesChange[] = [];
  for (const { fullPath, protocol } of task.virtuals) {
    const facts = await readVirtualFacts(box, fullPath, profiles);
    if (facts === null) throw noVirtual(task, unit, fullPath);
    const entry = entries.get(fullPath) ?? null;
    changes.push(
      task.does === 'detach' ? detachment(facts, entry) : await attachment(task, unit, facts, entry, protocol),
    );
  }
  return changes;
}

function detachment({ fullPath, rules }: VirtualFacts, entry: MapEntry | null): RulesChange {
  const after = withOwnRules(rules, []);
  const isDue = !isDeepStrictEqual(rules, after);
  const warnings =
    isDue && entry?.mode === 'enforce' ? ['it is enforced now: without the rules everything passes'] : [];
  return { virtual: fullPath, before: rules, after, mode: entry?.mode ?? null, warnings };
}

async function attachment(
  task: AttachmentTask,
  unit: Unit,
  facts: VirtualFacts,
  entry: MapEntry | null,
  wanted: 'http' | 'tcp' | null,
): Promise<RulesChange> {
  const { fullPath } = facts;
  const protocol = wanted ?? entry?.protocol ?? (facts.hasHttp ? 'http' : 'tcp');
  if (protocol === 'http' && (facts.isFastL4 || !facts.hasHttp)) throw noHttp(task, facts);
  const own = [task.rules.l4, ...(protocol === 'http' ? [task.rules.l7] : [])];
  if (!task.force) {
    for (const { fullPath: rule, text } of own) {
      const found = await readRuleText(unit.box, rule);
      if (found !== normalText(text)) throw noRule(task, fullPath, rule, found !== null);
    }
    if (entry === null) throw noEntry(task, fullPath);
    if (entry.routeDomain !== facts.routeDomain) throw otherRouteDomain(task, facts, entry);
  }
  const names = own.map((rule) => rule.fullPath);
  const [before, after] = [facts.rules, withOwnRules(facts.rules, names)];
  const warnings = isDeepStrictEqual(before, after) ? [] : warningsOf(facts, entry);
  return { virtual: fullPath, before, after, mode: entry?.mode ?? null, warnings };
}

function warningsOf({ enabled, policies, routeDomain }: VirtualFacts, entry: MapEntry | null): string[] {
  const warnings: [boolean, string][] = [
    [entry === null, 'no policy is in force for it: everything will be denied'],
    [
      entry !== null && entry.routeDomain !== routeDomain,
      `it stands in route domain ${routeDomain}, and its policy is for route domain ${entry?.routeDomain}: everybody will be unknown`,
    ],
    [
      entry?.mode === 'enforce',
      'its mode is enforce: what the policy does not allow is denied from now on. Set `mode: observe` first, and read `edgeward denials`',
    ],
    [!enabled, 'it is disabled: nothing reaches it now'],
    [policies.length > 0, `LTM policies run before every rule: ${policies.map((it) => boxText(it)).join(', ')}`],
  ];
  return warnings.flatMap(([is, words]) => (is ? [words] : []));
}

/** What was written is saved, also when a later one fails. */
async function writeAll(task: AttachmentTask, unit: Unit, changes: readonly RulesChange[]): Promise<void> {
  const { box } = unit;
  let written = 0;
  try {
    for (const change of changes) {
      await writeRules(task, unit, change);
      written += 1;
    }
  } catch (thrown) {
    if (written > 0) await box.run(SYSTEM_CONFIG, { command: 'save' }).catch(() => {}); // the first failure is what is told
    throw thrown instanceof EdgewardError && written > 0 ? partly(thrown, written, changes.length) : thrown;
  }
  await box.run(SYSTEM_CONFIG, { command: 'save' });
}

async function writeRules(task: AttachmentTask, unit: Unit, { virtual, before, after }: RulesChange): Promise<void> {
  const { point, does } = task;
  const path = objectPath(VIRTUALS, virtual);
  if (unit.pair !== null) await requireActive(point, unit, `${does}ing the rules of ${virtual}`);
  const now = await rulesAt(unit.box, path);
  if (!isDeepStrictEqual(now, before)) {
    const words = `somebody changed its rules since they were looked at (${textOf(now)}); nothing was written`;
    throw changed(task, virtual, words, 'Run it again: it looks again.');
  }
  await unit.box.modify(path, { rules: after });
  const found = await rulesAt(unit.box, path);
  if (isDeepStrictEqual(found, after)) return;
  const words = `it was written and reads back as ${textOf(found)}: somebody else writes its rules too`;
  throw changed(
    task,
    virtual,
    words,
    'Find out who, then run it again. Both lists are told here and in /var/log/audit.',
  );
}

/** null: it is gone. */
async function rulesAt(box: Icontrol, path: string): Promise<string[] | null> {
  const virtual = await box.get(path);
  return virtual === null ? null : readVirtual(virtual).rules;
}

function textOf(rules: readonly string[] | null): string {
  if (rules === null) return 'gone';
  return rules.length === 0 ? 'no rules' : rules.map((rule) => boxText(rule)).join(', ');
}

function doing({ does, point }: AttachmentTask, virtual: string): string {
  return `${does}ing the rules of ${boxText(virtual)} at ${point}`;
}

function noVirtual(task: AttachmentTask, unit: Unit, virtual: string): EdgewardError {
  return new EdgewardError(
    'EDW_ERR_BIGIP_VIRTUAL',
    `${doing(task, virtual)}: ${unit.name} has no such virtual server`,
    {
      mend: 'Name it by its full path, such as /Common/vs_orders; `edgeward bigip discover` lists them.',
    },
  );
}

function noHttp(task: AttachmentTask, { fullPath, isFastL4 }: VirtualFacts): EdgewardError {
  const why = isFastL4 ? 'it is a FastL4 virtual server' : 'it has no HTTP profile';
  return new EdgewardError('EDW_ERR_BIGIP_NO_HTTP', `${doing(task, fullPath)}: ${why}, and requests are to be judged`, {
    mend: 'Give it an HTTP profile as a standard virtual server, or set `protocol: tcp` for its object in the policy.',
  });
}

function noRule(task: AttachmentTask, virtual: string, rule: string, isThere: boolean): EdgewardError {
  const why = isThere ? 'has another text than this version of Edgeward' : 'is not on the box yet';
  return new EdgewardError('EDW_ERR_BIGIP_NO_RULES', `${doing(task, virtual)}: ${rule} ${why}`, {
    mend: 'Start the sync service and wait until `edgeward status` says current: it writes the rules. Or import what `edgeward bigip export` writes.',
  });
}

function noEntry(task: AttachmentTask, virtual: string): EdgewardError {
  return new EdgewardError(
    'EDW_ERR_BIGIP_NO_ENTRY',
    `${doing(task, virtual)}: no policy is in force for it, and everything would be denied`,
    {
      mend: 'Write a VirtualServer document with this `bind`, and wait until `edgeward status` says current. --force attaches all the same.',
    },
  );
}

function otherRouteDomain(
  task: AttachmentTask,
  { fullPath, routeDomain }: VirtualFacts,
  entry: MapEntry,
): EdgewardError {
  return new EdgewardError(
    'EDW_ERR_BIGIP_ROUTE_DOMAIN',
    `${doing(task, fullPath)}: it stands in route domain ${routeDomain}, and the policy in force for it is for route domain ${entry.routeDomain}: everybody would be unknown`,
    {
      mend: 'Let the user of the sync service see this virtual server, and wait until `edgeward status` says current. --force attaches all the same.',
    },
  );
}

function changed(task: AttachmentTask, virtual: string, words: string, mend: string): EdgewardError {
  return new EdgewardError('EDW_ERR_BIGIP_VIRTUAL_CHANGED', `${doing(task, virtual)}: ${words}`, { mend });
}

function partly({ code, message, mend, cause }: EdgewardError, written: number, all: number): EdgewardError {
  return new EdgewardError(code, `${message}; ${written} of ${all} virtual servers were written before`, {
    mend,
    cause,
  });
}
