import {
  compilePoints,
  type Finding,
  linkInventory,
  linkModel,
  lint,
  type Model,
  pointsOf,
  pointViews,
  type Resolution,
  resolve,
  runPolicyTests,
  type SourceDocument,
  withInventory,
} from '@edgeward/policy';
import { canonicalJson } from '@edgeward/policy-format';
import { EdgewardError, sha256Hex } from '@edgeward/runtime';
import { type Bundle, sourceDocumentsOf } from './bundle.ts';

/**
 * Whether documents make sense, by everything that an edit has to pass. With an inventory the policy's own tests run and
 * `max` is checked; without one nothing is said that depends on who is where. Machines write the inventory: what it breaks
 * by itself keeps nobody from an edit.
 */
export interface JudgedPolicy {
  /** Of the bundle alone: what slices are made of. */
  model: Model;
  /** Warnings. */
  findings: Finding[];
}

export interface Surroundings {
  nowMs: number;
  inventory?: readonly SourceDocument[] | undefined;
  /** Documents in force. A fault that they have too, with the same inventory, is none of the edit. */
  inForce?: Bundle | null | undefined;
  /**
   * Break-glass, or documents that were approved before: nothing that the inventory brings about stands in the way, and
   * tests and `max` are among it. A point never gets more members than `max`, whatever is published.
   */
  isEmergency?: boolean;
}

/** Throws EDW_ERR_PROPOSAL_POLICY; `findings` on its cause lists them all. */
export function judgePolicy(bundle: Bundle, around: Surroundings): JudgedPolicy {
  const { nowMs, inventory } = around;
  const findings: Finding[] = [];
  const model = linkModel(sourceDocumentsOf(bundle), findings);
  refuseErrors(findings);
  const alone = resolve(model, nowMs);
  const own = lint(alone, { inventoryOnly: false }).filter((it) => !NEEDS_INVENTORY.has(it.code));
  refuseErrors(own);
  if (inventory === undefined) return { model, findings: [...findings, ...own] };
  const found = findingsWith(model, inventory, nowMs);
  // What is wrong with no inventory at all is nobody else's fault.
  if (found.some((it) => it.severity === 'error')) refuseErrors(compileFaults(alone));
  findings.push(...excused(found, around));
  refuseErrors(findings);
  return { model, findings };
}

/** A fault of the inventory is its own: it is told where it is read, and keeps nobody from an edit. */
function findingsWith(model: Model, inventory: readonly SourceDocument[], nowMs: number): Finding[] {
  const resolution = resolve(withInventory(model, linkInventory(inventory, [])), nowMs);
  const faults = compileFaults(resolution);
  const findings = [...lint(resolution, { inventoryOnly: false }), ...faults];
  // A point that can't be compiled can't be tested.
  if (faults.length > 0) return findings;
  return [...findings, ...runPolicyTests(resolution, pointViews(resolution, sha256Hex), false).findings];
}

function compileFaults(resolution: Resolution): Finding[] {
  return compilePoints(resolution, pointsOf(resolution), { revision: 0, digest: sha256Hex }).faults;
}

/** Faults that are no reason to refuse the edit, as warnings: whoever writes the inventory could veto any other. */
function excused(findings: readonly Finding[], around: Surroundings): Finding[] {
  const errors = findings.filter((it) => it.severity === 'error');
  if (errors.length === 0) return [...findings];
  const standing = around.isEmergency === true ? null : standingFaults(around);
  const isExcused = (it: Finding): boolean => standing === null || standing.has(faultOf(it));
  return findings.map((it) => (it.severity === 'error' && isExcused(it) ? { ...it, severity: 'warning' } : it));
}

function standingFaults({ inForce, inventory = [], nowMs }: Surroundings): Set<string> {
  if (inForce === null || inForce === undefined) return new Set();
  const found = findingsWith(linkModel(sourceDocumentsOf(inForce), []), inventory, nowMs);
  return new Set(found.filter((it) => it.severity === 'error').map(faultOf));
}

function faultOf({ code, file, message }: Finding): string {
  return canonicalJson([code, file, message]);
}

/** Said of every rule where nobody is known to be anywhere. */
const NEEDS_INVENTORY = new Set(['EDW_WARN_FROM_NOTHING', 'EDW_WARN_FENCED_OUT', 'EDW_WARN_ADDRESS_SHARED']);

function refuseErrors(findings: readonly Finding[]): void {
  const errors = findings.filter((it) => it.severity === 'error');
  const first = errors[0];
  if (first === undefined) return;
  const more = errors.length > 1 ? `; and ${errors.length - 1} more` : '';
  throw new EdgewardError(
    'EDW_ERR_PROPOSAL_POLICY',
    `judging the proposed policy: ${first.file}: ${first.message} (${first.code})${more}`,
    {
      mend: 'Correct the documents; `edgeward check` and `edgeward test` name the places.',
      cause: Object.assign(new Error('the policy has errors'), { findings: errors }),
    },
  );
}
