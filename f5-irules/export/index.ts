/**
 * A change of policy as a folder for a change ticket: for boxes that nobody may write to over REST. With a box to look at,
 * what is written and the way back are exact; reading is all that is done there.
 */
import type { CompiledPolicy } from '@edgeward/policy';
import { EdgewardError } from '@edgeward/runtime';
import type { Icontrol } from '../driver/icontrol/index.ts';
import { enforcementRules } from '../driver/irules.ts';
import { type Layout, layOut, withRepairs } from '../driver/layout/index.ts';
import { requireOwnBox } from '../driver/ownership.ts';
import { filesOf } from './bundle.ts';
import { type Change, changeOf } from './change.ts';
import { examineGroups, type HeldBox, hazardsFor, placementsOn, readBox } from './examination.ts';
import { requireFree, type WrittenFile, writeFolder } from './folder.ts';

export { createIcontrol, type Icontrol, type IcontrolOptions } from '../driver/icontrol/index.ts';
export type { Attachment } from './attachments.ts';
export type { Change, Surplus } from './change.ts';
export type { WrittenFile } from './folder.ts';
export { folderOnBox } from './procedure.ts';

export interface ExportInput {
  /** Of any revision: `revision` decides. */
  policy: CompiledPolicy;
  /** Default: one more than the box has; 1 without a box. */
  revision?: number;
  /** One box, or both units of a pair, to be looked at; without them nothing is known of what stands there. */
  boxes?: readonly Icontrol[];
  nowMs: number;
}

/**
 * What the folder will say; writes nothing. Throws EDW_ERR_BIGIP_BIND, EDW_ERR_BIGIP_GROUP, EDW_ERR_EXPORT_REVISION,
 * EDW_ERR_POINT_TAKEN, and
 * what a box that can't be read throws.
 */
export async function planExport({ policy, revision, boxes = [], nowMs }: ExportInput): Promise<Change> {
  const rules = await enforcementRules();
  const held = boxes.length === 0 ? null : await readBox(policy.point, boxes, rules);
  if (held !== null) requireOwnBox(policy.point, held.name, held.policy);
  const numbered = { ...policy, revision: revisionFor(policy, revision, held) };
  const laidOut = layOut(numbered, held === null ? new Map() : placementsOn(held, rules));
  requireFullPaths(policy, laidOut);
  if (held === null) return changeOf({ policy: numbered, layout: laidOut, rules, examined: null, nowMs });
  const needs = await examineGroups(held, laidOut);
  const isRepair = [...needs.values()].some(({ do: does }) => does === 'mend-records' || does === 'mend-file');
  const layout = withRepairs(laidOut, held.repairs + (isRepair ? 1 : 0));
  const hazards = await hazardsFor(held, layout, rules);
  return changeOf({ policy: numbered, layout, rules, examined: { held, needs, hazards }, nowMs });
}

export interface WriteOptions {
  /** Where the audit collector listens: `192.0.2.10:6514`. Without it the procedure has a place to fill in. */
  collector?: string;
}

/** Throws EDW_ERR_OUT_FOLDER and EDW_ERR_OUTPUT; then nothing is left, and what stood there still does. */
export function writeExport(out: string, change: Change, options: WriteOptions = {}): Promise<WrittenFile[]> {
  return writeFolder(out, filesOf(change, { collector: options.collector ?? null }));
}

/** Before anybody waits for a box: whether `writeExport` would find its place free. Throws EDW_ERR_OUT_FOLDER. */
export async function requireFreeFolder(out: string): Promise<void> {
  await requireFree(out);
}

/** A folder for a ticket is whole: nobody looks at hazards when it is loaded. */
function requireFullPaths({ point }: CompiledPolicy, { unusable: [first] }: Layout): void {
  if (first === undefined) return;
  const { name, bind } = first;
  throw new EdgewardError(
    'EDW_ERR_BIGIP_BIND',
    `exporting for ${point}: ${name} binds ${JSON.stringify(bind)}, which is no full path of a virtual server`,
    { mend: `Write the full path as \`bind\` of ${name}, such as /Common/vs_orders.` },
  );
}

/** One number is one policy: the number that the box has may only be given to what it has. */
function revisionFor({ point, hash }: CompiledPolicy, wanted: number | undefined, held: HeldBox | null): number {
  const there = held?.policy?.head ?? { revision: 0, policyHash: '' };
  if (wanted === undefined) return there.revision + 1;
  if (wanted > there.revision || (wanted === there.revision && hash === there.policyHash)) return wanted;
  throw new EdgewardError(
    'EDW_ERR_EXPORT_REVISION',
    `exporting revision ${wanted} for ${point}: ${held?.name} holds revision ${there.revision} already`,
    { mend: `Leave --revision out, which gives ${there.revision + 1}, or name a larger one. Revisions only grow.` },
  );
}
