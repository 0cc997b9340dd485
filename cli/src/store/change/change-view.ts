/**
 * What a change of policy comes to, for whoever proposes it and for whoever is to approve it: the same lines and the same
 * JSON, worked out on their own machine.
 */
import type { Bundle, ComputedPayload, RiskFinding } from '@edgeward/central-store';
import type { ChangeBounds, Finding, PolicyChanges } from '@edgeward/policy';
import type { Approval, Digest } from '@edgeward/policy-format';
import type { Context } from '../../frame/command.ts';
import { withProgress } from '../../frame/progress.ts';
import { counted, type Paint, printable } from '../../frame/terminal-text.ts';
import { planText } from '../../policy/plan-text.ts';
import { compareBundles, type Inventory } from '../trust/flow-sides.ts';
import { type DocumentChanges, documentChanges } from './document-changes.ts';
import { documentText } from './document-text.ts';
import { type Ground, groundText, isSettled } from './glass-ground.ts';

export interface ChangeView {
  version: number;
  digest: Digest;
  reason: string;
  breakGlass: Approval['breakGlass'];
  returnUntil: string | null;
  /** What is signed, and what differs in it from the version that it is compared with. */
  documents: Approval['documents'] & DocumentChanges;
  slices: Approval['slices'];
  risks: RiskFinding[];
  approvals: number;
  /** Warnings about the documents. */
  findings: Finding[];
  /** Tests of the new policy that fail with this inventory. */
  failures: Finding[];
  inventory: { workloads: number; from: string };
  /** The version that it is compared with; null: nothing is in force. */
  from: number | null;
  /** What break-glass stands on; null without it. */
  builtOn: Ground | null;
  plan: PolicyChanges;
  changes: boolean;
}

const BOUNDED: ChangeBounds = { objects: 500, changes: 100, examples: 10 };
const UNBOUNDED: ChangeBounds = { objects: Infinity, changes: Infinity, examples: 1_000 };

export async function viewChange(
  context: Context,
  computed: ComputedPayload,
  digest: Digest,
  {
    before,
    from,
    after,
    inventory,
    ground,
  }: { before: Bundle | null; from: number | null; after: Bundle; inventory: Inventory; ground: Ground | null },
): Promise<ChangeView> {
  const { payload } = computed;
  const about = { nowMs: context.now(), bounds: context.flag('all') ? UNBOUNDED : BOUNDED };
  const { changes, failures } = await withProgress(
    context.err,
    () => 'comparing',
    async () => compareBundles(before, after, inventory, about),
  );
  return {
    version: payload.version,
    digest,
    reason: payload.reason,
    breakGlass: payload.breakGlass,
    returnUntil: payload.returnUntil,
    documents: { ...payload.documents, ...documentChanges(before, after) },
    slices: payload.slices,
    risks: computed.risks,
    approvals: payload.approvals,
    findings: computed.findings,
    failures,
    inventory: { workloads: inventory.documents.length, from: inventory.from },
    from,
    builtOn: ground,
    plan: changes,
    // What a comparison of flows can't see (a reason, a test, a name) is a change of what is signed all the same.
    changes: changes.totals.objects > 0 || before?.digest !== after.digest,
  };
}

export function changeText(view: ChangeView, all: boolean, paint: Paint, nowMs: number): string {
  const { documents, slices, digest, inventory, from, plan, risks, failures } = view;
  const size = `${counted(documents.count, 'document')}, ${counted(documents.bytes, 'byte')}, rules of ${counted(slices.count, 'point')}`;
  const rows = [
    printable(`  ${view.reason}`),
    ...glassLines(view, paint),
    ...(view.returnUntil === null
      ? []
      : [printable(`  points may return to the version before until ${view.returnUntil}`)]),
    ...risks.map(
      ({ risk, where, message }) => `  ${paint.warn('risk')}  ${printable(`${risk}  ${where}: ${message}`)}`,
    ),
    ...failures.map(({ code, message }) => `  ${paint.bad('test')}  ${printable(`${code}  ${message}`)}`),
    `  ${size}; payload ${digest}`,
    printable(`  who is where: ${counted(inventory.workloads, 'workload')}, ${inventory.from}`),
  ];
  const [was, is] = [from === null ? 'nothing' : `version ${from}`, `version ${view.version}`];
  const basis = from === null ? null : { directory: was };
  // With the documents' own word for it: what no flow shows today is signed, and may show one tomorrow.
  const flows = { ...plan, from: basis, to: { directory: is }, others: [], refusals: [], changes: view.changes };
  return [
    `${rows.join('\n')}\n\n`,
    documentText(documents, `${was} → ${is}`, all, paint),
    `\n${printable(`Flows, by who is where now. Members come from an inventory (${inventory.from}), and are not signed:`)}\n`,
    planText(flows, all, paint, nowMs),
  ].join('');
}

function glassLines({ breakGlass, builtOn }: ChangeView, paint: Paint): string[] {
  if (breakGlass === null) return [];
  return [
    ...(builtOn === null || isSettled(builtOn) ? [] : [`  ${paint.bad(printable(groundText(builtOn)))}`]),
    `  ${paint.bad('break-glass')} until ${printable(breakGlass.endsAt)}; then the version before is in force again`,
  ];
}

/** `2 approvals of others than ada: ben has signed; cyn, dan can` */
export function approvalsText(
  {
    needed,
    approvers,
    missing,
    proposedBy,
  }: { needed: number; approvers: string[]; missing: string[]; proposedBy: string },
  breakGlass: boolean,
): string {
  const what = `${counted(needed, 'approval')}${breakGlass ? '' : ` of others than ${proposedBy}`}`;
  const given = approvers.length === 0 ? 'nobody has signed yet' : `signed by ${approvers.join(', ')}`;
  const can = approvers.length >= needed || missing.length === 0 ? '' : `; can sign: ${missing.join(', ')}`;
  return printable(`needs ${what}: ${given}${can}`);
}
