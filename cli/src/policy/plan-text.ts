/** A plan for people: each point, each object, what it gains and what it loses. Bounded, unless all of it is asked for. */
import type { ChangedSource, FlowChange, ObjectFlowChanges, PointChanges } from '@edgeward/policy';
import { bounded, findingLines } from '../bigip/finding-lines.ts';
import { formatAge } from '../frame/duration.ts';
import { counted, type Paint, printable } from '../frame/terminal-text.ts';
import { few, passingText, requestsText } from './flow-change-text.ts';
import type { Plan, PlanRefusal } from './plan.ts';

/** Lines of each list; names in one line. */
const SHORT = { objects: 20, changes: 10, examples: 3, requests: 4 };
const LONG = { objects: Infinity, changes: Infinity, examples: Infinity, requests: Infinity };

type Limits = typeof SHORT;

export function planText(plan: Plan, all: boolean, paint: Paint, nowMs: number): string {
  const limits = all ? LONG : SHORT;
  const points = plan.points.map((point) => `${pointLines(point, limits, paint).join('\n')}\n`);
  const shown = bounded(points, limits.objects, paint);
  const refused = bounded(
    plan.refusals.map((it) => refusalLines(it, paint)),
    limits.changes,
    paint,
  );
  const head = `${printable(headText(plan, nowMs))}\n`;
  return [head, ...shown, ...refused, `${summary(plan, paint)}\n`].join('\n');
}

function refusalLines({ point, object, rule, why }: PlanRefusal, paint: Paint): string {
  const words = `${rule === null ? '' : `rule ${rule}: `}${why}, which an NGINX in reload mode can't judge: ${point} would keep what it has`;
  const mend =
    'Narrow `to` of the rule so that it does not reach this object, or take the conditions or trustedProxies out; or give the point njs 0.8.1 or newer and `mode: live`.';
  return findingLines([{ object, code: 'EDW_ERR_NGINX_NEEDS_NJS', words, mend }], paint.bad('refused'));
}

function headText({ from, to }: Plan, nowMs: number): string {
  if (from === null) return `Nothing is in force yet → ${to.directory}`;
  if ('directory' in from) return `${from.directory} → ${to.directory}`;
  return `revision ${from.revision}, published ${formatAge(from.publishedAtMs, nowMs)} → ${to.directory}`;
}

function pointLines(point: PointChanges, limits: Limits, paint: Paint): string[] {
  const objects = point.objects.map((object) => objectLines(object, limits, paint).join('\n'));
  const left = point.totals.objects - point.objects.length;
  const shown = bounded(objects, limits.objects, paint);
  return [
    `${paint.strong(printable(point.point))}  ${sizeText(point)}`,
    ...shown.map(indented),
    ...(left === 0 ? [] : [indented(paint.dim(`… and ${counted(left, 'object')} more`))]),
    ...point.limits.map((it) => limitLines(point, it, paint)),
  ];
}

function limitLines({ point }: PointChanges, limit: PointChanges['limits'][number], paint: Paint): string {
  const { object, words, mend } = limit;
  const found = { object: object ?? point, code: limit.limit, words, mend };
  return indented(findingLines([found], paint.warn('limit')).trimEnd());
}

const measures = ['objects', 'rules', 'groups', 'members', 'bytes'] as const;

/** `3 objects, 12 → 13 rules, …` */
function sizeText({ before, after }: PointChanges): string {
  return measures
    .map((measure) => {
      const [was, is] = [before?.[measure] ?? 0, after?.[measure] ?? 0];
      const number = (it: number): string => it.toLocaleString('en');
      return `${was === is ? '' : `${number(was)} → `}${number(is)} ${is === 1 && was === is ? measure.slice(0, -1) : measure}`;
    })
    .join(', ');
}

function objectLines(it: ObjectFlowChanges, limits: Limits, paint: Paint): string[] {
  const bind = it.bind === it.object ? '' : `  ${printable(it.bind)}`;
  const lines = [
    ...changeLines(paint.good('gained'), it.gained, it.totals.gained, 'no longer denied', limits, paint),
    ...changeLines(paint.bad('lost  '), it.lost, it.totals.lost, 'now denied', limits, paint),
    ...trustLines('believed from now on', it.trusted.gained, limits),
    ...trustLines('no longer believed', it.trusted.lost, limits),
  ];
  return [
    `${paint.strong(printable(it.object))}${bind}  ${it.change}`,
    ...settingLines(it).map(indented),
    ...(lines.length === 0 ? ['no flow is gained or lost'] : lines).map(indented),
    ...(lines.length === 0 ? ruleLines(it, limits) : []).map(indented),
  ];
}

/** Where rules changed and flows did not, that is what there is to say. */
function ruleLines({ rules }: ObjectFlowChanges, limits: Limits): string[] {
  const told = (['added', 'removed', 'changed'] as const).filter((word) => rules[word].length > 0);
  return told.map((word) => `rules ${word}: ${printable(few(rules[word], limits.examples))}`);
}

function settingLines({ before, after }: ObjectFlowChanges): string[] {
  if (before === null || after === null) {
    const { mode, protocol } = after ?? before ?? { mode: '', protocol: '' };
    return [
      `${after === null ? 'was' : 'mode'} ${mode}, protocol ${protocol}${after === null ? '' : passingText(mode)}`,
    ];
  }
  const lines: string[] = [];
  if (before.object !== after.object) lines.push(printable(`name ${before.object} → ${after.object}`));
  if (before.mode !== after.mode)
    lines.push(
      `mode ${before.mode} → ${after.mode}${after.mode === 'enforce' ? ': what is denied no longer passes' : passingText(after.mode)}`,
    );
  else if (after.mode !== 'enforce') lines.push(`mode ${after.mode}, as before${passingText(after.mode)}`);
  if (before.protocol !== after.protocol) lines.push(`protocol ${before.protocol} → ${after.protocol}`);
  const [was, is] = [before.ports.join(' '), after.ports.join(' ')];
  return was === is ? lines : [...lines, `ports ${was} → ${is}`];
}

function changeLines(
  word: string,
  changes: readonly FlowChange[],
  total: number,
  denial: string,
  limits: Limits,
  paint: Paint,
): string[] {
  const lines = changes.map((it) => {
    const what = `${it.ports.join(' ')}  ${requestsText(it.requests, denial, limits.requests)}`;
    return `${word}  ${printable(sourceText(it.source, limits.examples))}  ${what}${printable(causeText(it))}`;
  });
  const shown = lines.slice(0, limits.changes);
  const left = total - shown.length;
  return left === 0
    ? lines
    : [...shown, paint.dim(`${word}  … and ${left.toLocaleString('en')} more; --all shows them`)];
}

function causeText({ cause, rules }: FlowChange): string {
  const by = rules.length === 0 ? '' : `  by ${few(rules, 3)}`;
  if (cause === 'members') return `${by}: who it names changed`;
  return cause === 'object' ? `${by}: the object changed` : by;
}

/** `app=crm,env=prod (12 workloads, e.g. crm-1 10.30.1.4)`, `network branch-offices (192.0.2.0/24)`. */
function sourceText(source: ChangedSource, limit: number): string {
  const { kind, text, whole, workloads, ranges, except } = source;
  if (workloads !== null) {
    const names = workloads.examples.map(({ name, address }) => `${name} ${address}`);
    const some = names.length === 0 ? '' : `: ${few(names, limit, ', ', workloads.count)}`;
    const many = whole
      ? counted(workloads.count, 'workload')
      : `${workloads.count} of ${counted(workloads.of, 'workload')}`;
    return `${text} (${many}${some})`;
  }
  if (except !== null) return `${text} but ${few(except.examples, limit, ', ', except.count)}`;
  const listed = few(ranges.examples, limit, ', ', ranges.count);
  if (whole) return kind === 'network' ? `${text} (${listed})` : text;
  return kind === 'failsafe' ? `${text} (${listed})` : `${text} (of it ${listed})`;
}

function trustLines(word: string, sources: readonly string[], limits: Limits): string[] {
  return sources.length === 0 ? [] : [`proxies ${word}: ${few(sources, limits.examples)}`];
}

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
}

function summary({ totals, compared, others, changes }: Plan, paint: Paint): string {
  const aside =
    others.length === 0
      ? ''
      : `\n${counted(others.length, 'point')} of the policy not in this configuration: ${printable(few(others, 5))}`;
  if (!changes) return `${paint.good('Nothing would change.')}${aside}`;
  const points = `${totals.points} of ${counted(compared, 'point')}`;
  return `${paint.warn(`${counted(totals.objects, 'object')} would change at ${points}: ${totals.gained} gained, ${totals.lost} lost.`)}${aside}`;
}
