import { formatAddress } from './address.ts';
import type { PolicyCode } from './codes.ts';
import { findingAt } from './field-reader.ts';
import type { Finding, Path } from './finding.ts';
import { rulePath } from './linking.ts';
import type { Network, Placed, ProtectedObject, Workload } from './model.ts';
import { formatPortRange, intersectPorts } from './ports.ts';
import type { Resolution, ResolvedRule } from './resolve.ts';
import { formatSelector, selects, unguardedNegations } from './selector.ts';

/**
 * What can be said of a policy only once labels, addresses and time are known. An error here keeps an edit from being
 * published. When only the inventory moved, a rule that lost its objects is a warning, so that one scaled-down
 * service never blocks everyone.
 */
export interface LintOptions {
  inventoryOnly: boolean;
}

const SOON_MS = 14 * 24 * 3600 * 1000;

export function lint(resolution: Resolution, options: LintOptions): Finding[] {
  const findings: Finding[] = [];
  resolution.rules.forEach((rule) => {
    const at = placer(rule, findings);
    lintTarget(resolution, rule, options, at);
    lintSources(rule, at);
    if (rule.ended) at('EDW_WARN_ENDED', ['until'], `the rule '${rule.rule.id}' has ended`);
  });
  lintTests(resolution, findings);
  lintNetworks(resolution, findings);
  lintHosts(resolution, findings);
  lintSharedAddresses(resolution, findings);
  return findings;
}

type At = (code: PolicyCode, path: Path, message: string) => void;

function placer(rule: ResolvedRule, findings: Finding[]): At {
  return (code, path, message) => {
    findings.push(findingAt(rule.policy.document, rulePath(rule.policy, rule.rule).concat(path), code, message));
  };
}

function lintTarget(resolution: Resolution, rule: ResolvedRule, options: LintOptions, at: At): void {
  const objects = rule.objects.map((i) => resolution.objects[i] as ProtectedObject);
  if (objects.length === 0) {
    at(
      options.inventoryOnly ? 'EDW_WARN_TO_NOTHING' : 'EDW_ERR_TO_NOTHING',
      ['to'],
      `'to' selects no protected object: ${formatSelector(rule.rule.to)}`,
    );
    return;
  }
  if (rule.rule.http !== null) lintHttpTargets(rule, objects, at);
  const wanted = rule.ports;
  if (wanted === null) return;
  objects.forEach((object) => {
    if (intersectPorts(wanted, object.ports).length > 0) return;
    at(
      'EDW_WARN_RULE_CANNOT_MATCH',
      [],
      `the rule '${rule.rule.id}' can't match at '${object.name}', which lists only ${object.ports.map(formatPortRange).join(', ')}`,
    );
  });
}

function lintHttpTargets(rule: ResolvedRule, objects: ProtectedObject[], at: At): void {
  const bad = objects.filter((object) => object.protocol !== 'http');
  if (bad.length === 0) return;
  const good = objects.filter((object) => object.protocol === 'http');
  const names =
    bad
      .slice(0, 10)
      .map((object) => object.name)
      .join(', ') + (bad.length > 10 ? ` and ${bad.length - 10} more` : '');
  const narrower = narrow(rule, good, bad);
  const proposal = narrower === null ? '' : `; narrower: ${narrower}`;
  at(
    'EDW_ERR_HTTP_ON_CONNECTION',
    ['http'],
    `HTTP conditions reach objects whose requests are not judged: ${names}${proposal}`,
  );
}

/** The rule's selector with one more condition that keeps every good object and no bad one, if one label can say it. */
function narrow(rule: ResolvedRule, good: ProtectedObject[], bad: ProtectedObject[]): string | null {
  const sample = good[0];
  if (sample === undefined) return null;
  const keys = Object.keys(sample.labels);
  for (let i = 0; i < keys.length; i += 1) {
    const key = keys[i] as string;
    const values: string[] = [];
    good.forEach((object) => {
      const value = object.labels[key];
      if (value !== undefined && values.indexOf(value) < 0) values.push(value);
    });
    const condition = { key, op: 'in' as const, values: values.sort() };
    const keepsGood = good.every((object) => selects([[condition]], object.labels));
    if (keepsGood && !bad.some((object) => selects([[condition]], object.labels))) {
      return `(${formatSelector(rule.rule.to)}) && ${formatSelector([[condition]])}`;
    }
  }
  return null;
}

function lintSources(rule: ResolvedRule, at: At): void {
  rule.rule.from.forEach((term, i) => {
    const group = rule.groups[i];
    if (group === undefined || term.kind !== 'workloads') return;
    const path: Path = ['from', i];
    if (term.max !== null && group.memberCount > term.max) {
      at(
        'EDW_ERR_MAX_EXCEEDED',
        path.concat(['max']),
        `${group.memberCount} workloads are selected, and 'max' is ${term.max}`,
      );
    }
    if (group.fencedOut.length > 0) {
      at(
        'EDW_WARN_FENCED_OUT',
        path.concat(['within']),
        `outside the fence, and left out: ${group.fencedOut.join(', ')}`,
      );
    }
    if (group.memberCount === 0)
      at(
        'EDW_WARN_FROM_NOTHING',
        path.concat(['workloads']),
        `no workload is selected by ${formatSelector(term.selector)}`,
      );
    unguardedNegations(term.selector).forEach((key) => {
      at('EDW_WARN_NEGATION', path.concat(['workloads']), `this also selects workloads that have no label '${key}'`);
    });
  });
}

function lintTests(resolution: Resolution, findings: Finding[]): void {
  const names: Record<string, true> = Object.create(null);
  resolution.objects.forEach((object) => {
    names[object.name] = true;
  });
  resolution.model.policies.forEach((policy) => {
    policy.value.tests.forEach((test, i) => {
      if (names[test.flow.to] === true) return;
      findings.push(
        findingAt(
          policy.document,
          ['tests', i, 'to'],
          'EDW_WARN_TEST_OBJECT',
          `there is no protected object '${test.flow.to}'`,
        ),
      );
    });
  });
}

function lintNetworks(resolution: Resolution, findings: Finding[]): void {
  const denying: Record<string, string> = Object.create(null);
  resolution.rules.forEach((rule) => {
    if (rule.rule.action !== 'deny') return;
    rule.rule.from.forEach((term) => {
      if (term.kind === 'network') denying[term.name] = rule.rule.id;
    });
  });
  resolution.model.networks.forEach((network: Placed<Network>) => {
    const expires = network.value.expiresMs;
    if (expires === null) return;
    const deny = denying[network.value.name];
    const warn = (message: string): void => {
      findings.push(findingAt(network.document, ['expires'], 'EDW_WARN_EXPIRES', message));
    };
    if (expires <= resolution.nowMs) warn(`the network '${network.value.name}' has expired and is empty`);
    else if (deny !== undefined)
      warn(`when '${network.value.name}' expires, the deny rule '${deny}' no longer stops it`);
    else if (expires - resolution.nowMs <= SOON_MS) warn(`the network '${network.value.name}' expires within 14 days`);
  });
}

function lintHosts(resolution: Resolution, findings: Finding[]): void {
  resolution.model.workloads.forEach((workload) => {
    if (workload.value.point === null || workload.value.mode !== 'enforce') return;
    const object = resolution.objects.filter((it) => it.name === workload.value.name)[0];
    if (object === undefined || object.mode === 'enforce') return;
    findings.push(
      findingAt(
        workload.document,
        ['mode'],
        'EDW_WARN_NOT_ENFORCED',
        `'${workload.value.name}' is observed only: its point '${workload.value.point}' has no management addresses`,
      ),
    );
  });
}

function lintSharedAddresses(resolution: Resolution, findings: Finding[]): void {
  const order = resolution.order;
  const shared: Record<string, Placed<Workload> | null> = Object.create(null);
  let some = false;
  for (let i = 1; i < order.addresses.length; i += 1) {
    if (order.addresses[i] !== order.addresses[i - 1]) continue;
    shared[order.addresses[i] as string] = null;
    some = true;
  }
  if (!some) return;
  resolution.model.workloads.forEach((workload) => {
    workload.value.addresses.forEach((address, i) => {
      const other = shared[address];
      if (other === undefined || other === workload) return;
      shared[address] = workload;
      if (other === null) return;
      const message = `${formatAddress(address)} belongs to '${other.value.name}' too`;
      findings.push(findingAt(workload.document, ['addresses', i], 'EDW_WARN_ADDRESS_SHARED', message));
    });
  });
}
