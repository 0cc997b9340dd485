/**
 * `edgeward plan`: what applying a policy would change at every point, in flows gained and lost. It compares a directory
 * with what the sync service published last, or with another directory. It writes nothing and asks no point.
 */
import { type NativeRefusal, nativeRefusals } from '@edgeward/nginx-njs';
import { type ChangeBounds, type FlowSide, flowChanges, type PolicyChanges } from '@edgeward/policy';
import { loadServiceConfig, readPublishedPolicy, type ServiceConfig } from '@edgeward/sync-service';
import { configOption } from '../config-option.ts';
import type { Command, Context } from '../frame/command.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { withProgress } from '../frame/progress.ts';
import { usageError } from '../frame/usage-error.ts';
import { compilePublished, type PointFilter, readDraft } from './compared-policy.ts';
import { planText } from './plan-text.ts';

export const plan: Command = {
  name: 'plan',
  summary: 'What applying a policy would change at every point.',
  help: {
    examples: [
      { line: 'edgeward plan', says: 'The directory of edgeward.yaml against what is in force.' },
      { line: 'edgeward plan policies --from main/policies', says: 'Two directories, as in a pull request.' },
    ],
    usage: ['[DIR] [--config FILE] [--all] [--json]', 'DIR --from OLD_DIR [--all] [--json]'],
    about: [
      'Flows are sources × object × ports × requests, told by the terms that the rules write: labels, networks, CIDRs. What another rule allows to the same source all the same is neither gained nor lost. They are verdicts: an object in observe denies nothing. Both sides are judged at this instant.',
      'What is in force is what the sync service published last, read from its state folder; the service need not run. Points that edgeward.yaml does not name are left out and counted. What an NGINX in reload mode can not judge is told as refused: its point would keep what it has.',
      'JSON: {from: {revision, publishedAtMs} | {directory} | null, to: {directory}, points: [{point, objects: [{object, bind, change, before, after, gained: [{by, cause, source, ports, requests, rules}], lost, totals, trusted, rules}], totals, before, after, limits}], totals, compared, others, refusals: [{point, object, rule, why}], changes}. `source` is {kind, text, whole, workloads, ranges, addresses}; `cause` is rule, members, object or failsafe; `before` and `after` of a point are {objects, rules, groups, members, bytes}.',
    ],
    exits: {
      0: 'nothing would change',
      3: 'something would change, or a point can not judge it; or the policy has errors, or its tests fail',
      78: 'the configuration, a directory, or the snapshot in the state folder cannot be read',
    },
  },
  args: ['[DIR]'],
  options: {
    from: { type: 'string', value: 'DIR', says: 'Compare with this directory, and not with what is in force.' },
    all: { type: 'boolean', says: 'Every line, however many there are.' },
    config: configOption,
  },
  run: runPlan,
};

/** What `--json` and a terminal are told at most; with --all it is bounded by the memory alone. */
const BOUNDED: ChangeBounds = { objects: 500, changes: 100, examples: 10 };
const UNBOUNDED: ChangeBounds = { objects: Infinity, changes: Infinity, examples: 1_000 };

/** Where a comparison begins. */
type PlanBasis =
  | { directory: string }
  | { revision: number; publishedAtMs: number }
  /** Nothing is in force yet. */
  | null;

export interface Plan extends PolicyChanges {
  from: PlanBasis;
  to: { directory: string };
  /** Points of the policy that this configuration does not serve. */
  others: string[];
  /** What an NGINX in reload mode can't judge: its point would keep what it has. */
  refusals: PlanRefusal[];
  changes: boolean;
}

export interface PlanRefusal extends NativeRefusal {
  point: string;
}

async function runPlan(context: Context): Promise<ExitCode> {
  const nowMs = context.now();
  const all = context.flag('all');
  const sides = context.flag('from') ? await twoDirectories(context, nowMs) : await inForce(context, nowMs);
  if (sides === null) return 3;
  const { before, after, ...about } = sides;
  const says = (): string => 'comparing';
  const changes = await withProgress(context.err, says, async () =>
    flowChanges(before, after, all ? UNBOUNDED : BOUNDED),
  );
  const found: Plan = { ...about, ...changes, changes: changes.totals.objects > 0 };
  if (context.json) await context.printJson(found);
  else await context.out.write(planText(found, all, context.paint, nowMs));
  return found.changes || found.refusals.length > 0 ? 3 : 0;
}

interface Sides extends Pick<Plan, 'from' | 'to' | 'others' | 'refusals'> {
  before: FlowSide | null;
  after: FlowSide;
}

async function twoDirectories(context: Context, nowMs: number): Promise<Sides | null> {
  const [directory] = context.args;
  const old = context.required('from');
  if (directory === undefined) throw usageError('--from needs the directory that comes after it', 'plan');
  if (context.flag('config')) throw usageError("--from and --config can't be given together", 'plan');
  const before = await readDraft(context, old, nowMs, null);
  const after = before === null ? null : await readDraft(context, directory, nowMs, null);
  return after === null
    ? null
    : { before, after, from: { directory: old }, to: { directory }, others: [], refusals: [] };
}

async function inForce(context: Context, nowMs: number): Promise<Sides | null> {
  const config = await loadServiceConfig({ file: context.text('config'), env: context.env });
  if (config.store !== null) {
    const hint = 'Compare two directories with --from; a proposal brings its own plan along.';
    throw usageError('the policy of this service comes from a central store, not from a directory', 'plan', hint);
  }
  const directory = context.args[0] ?? config.policies;
  const points = servedPoints(config);
  const after = await readDraft(context, directory, nowMs, points);
  if (after === null) return null;
  const published = await readPublishedPolicy(config);
  const before = published === null ? null : compilePublished(published.documents, nowMs, points);
  const from = published === null ? null : { revision: published.revision, publishedAtMs: published.publishedAtMs };
  const refusals = refusalsOf(after, config);
  return { before, after, from, to: { directory }, others: otherPoints(after, points), refusals };
}

function servedPoints(config: ServiceConfig): PointFilter {
  return new Set([...config.points, ...config.bigips].map(({ name }) => name));
}

function refusalsOf({ policies }: FlowSide, { points }: ServiceConfig): PlanRefusal[] {
  const native = new Set(points.filter((point) => point.native?.mode === 'reload').map(({ name }) => name));
  const refused = policies.filter(({ point }) => native.has(point));
  return refused.flatMap((policy) => nativeRefusals(policy).map((refusal) => ({ point: policy.point, ...refusal })));
}

function otherPoints({ resolution }: FlowSide, served: PointFilter): string[] {
  const named = new Set(resolution.objects.map(({ point }) => point));
  return [...named].filter((point) => served?.has(point) === false).sort();
}
