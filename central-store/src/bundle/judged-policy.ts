import {
  compilePoints,
  type Finding,
  linkInventory,
  linkModel,
  lint,
  type Model,
  pointsOf,
  pointViews,
  resolve,
  runPolicyTests,
  type SourceDocument,
  withInventory,
} from '@edgeward/policy';
import { EdgewardError, sha256Hex } from '@edgeward/runtime';
import { type Bundle, sourceDocumentsOf } from './bundle.ts';

/**
 * Whether documents make sense, by everything that an edit has to pass. With an inventory the policy's own tests run and
 * `max` is checked; without one nothing is said that depends on who is where.
 */
export interface JudgedPolicy {
  /** Of the bundle alone: what slices are made of. */
  model: Model;
  /** Warnings. */
  findings: Finding[];
}

/** Throws EDW_ERR_PROPOSAL_POLICY; `findings` on its cause lists them all. */
export function judgePolicy(bundle: Bundle, nowMs: number, inventory?: readonly SourceDocument[]): JudgedPolicy {
  const findings: Finding[] = [];
  const model = linkModel(sourceDocumentsOf(bundle), findings);
  refuseErrors(findings);
  if (inventory === undefined) {
    findings.push(
      ...lint(resolve(model, nowMs), { inventoryOnly: false }).filter((it) => !NEEDS_INVENTORY.has(it.code)),
    );
    refuseErrors(findings);
    return { model, findings };
  }
  // A fault of the inventory is its own: it is told where it is read, and keeps nobody from an edit.
  const resolution = resolve(withInventory(model, linkInventory(inventory, [])), nowMs);
  const { faults } = compilePoints(resolution, pointsOf(resolution), { revision: 0, digest: sha256Hex });
  findings.push(...lint(resolution, { inventoryOnly: false }), ...faults);
  refuseErrors(findings);
  findings.push(...runPolicyTests(resolution, pointViews(resolution, sha256Hex), false).findings);
  refuseErrors(findings);
  return { model, findings };
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
