import {
  linkModel,
  type Model,
  normalisePorts,
  type PortRange,
  type ProtectedObject,
  resolve,
  type SourceTerm,
} from '@edgeward/policy';
import { canonicalJson } from '@edgeward/policy-format';
import { type Bundle, sourceDocumentsOf } from './bundle.ts';
import { commonPorts } from './port-sets.ts';

/** One version of policy as risks look at it: what each rule reaches, by names, without inventory and without time. */
export interface PolicyView {
  objects: Map<string, ProtectedObject>;
  networks: Map<string, NetworkDocument>;
  points: Map<string, PointDocument>;
  rules: Map<string, RuleView>;
  /** Each test in one spelling. */
  tests: Set<string>;
}

export type NetworkDocument = Model['networks'][number]['value'];
type PointDocument = Model['points'][number]['value'];
type Rule = Model['policies'][number]['value']['rules'][number];

export interface RuleView {
  rule: Rule;
  terms: SourceTerm[];
  /** Services and ports joined; null: every port of the object. */
  ports: Rule['ports'];
  /** Names. */
  objects: Set<string>;
  /** By name, the ports that the rule opens of the object; without those where it opens none. */
  reach: Map<string, PortRange[]>;
  /** Everything that its author wrote and that has an effect, in one spelling. */
  definition: string;
}

export function policyView(bundle: Bundle | null): PolicyView {
  const model = linkModel(bundle === null ? [] : sourceDocumentsOf(bundle), []);
  const resolution = resolve(model, 0);
  const tests = model.policies.flatMap((policy) => policy.value.tests.map((test) => canonicalJson(test)));
  return {
    objects: new Map(resolution.objects.map((it) => [it.name, it])),
    networks: byName(model.networks),
    points: byName(model.points),
    rules: new Map(resolution.rules.map((it) => [it.rule.id, ruleView(it, resolution.objects)])),
    tests: new Set(tests),
  };
}

function byName<T extends { name: string }>(placed: readonly { value: T }[]): Map<string, T> {
  return new Map(placed.map(({ value }) => [value.name, value]));
}

function ruleView(
  { rule, objects, ports }: { rule: Rule; objects: readonly number[]; ports: Rule['ports'] },
  all: readonly ProtectedObject[],
): RuleView {
  const reached = objects.flatMap((i) => all[i] ?? []);
  const { action, from, http, untilMs } = rule;
  return {
    rule,
    terms: from,
    ports,
    objects: new Set(reached.map((it) => it.name)),
    reach: new Map(reached.map((it) => [it.name, opened(it, ports)] as const).filter(([, open]) => open.length > 0)),
    definition: canonicalJson({ action, from, ports, http, untilMs }),
  };
}

function opened(object: ProtectedObject, ports: Rule['ports']): PortRange[] {
  return ports === null ? normalisePorts(object.ports) : commonPorts(object.ports, ports);
}
