import type { AddressKey } from './address.ts';
import { parseAddress } from './address.ts';
import type { CompiledRule, PortRange } from './compiled.ts';
import type { Flow, Mode, Reason, Verdict } from './flow.ts';
import { includesPort, parsePort } from './ports.ts';
import { conditionMatches, plainRequest } from './request.ts';
import { effectiveSource } from './source-address.ts';

/**
 * The verdict. This is the only place that says what a policy means; Node and NGINX run this same code, and every
 * other kind of point is proved equal to it. It reads no clock and has no state: what time ends was taken out when
 * the policy was compiled.
 */

/** A policy as `decide` reads it, wherever it is stored. */
export type PolicyView = LoadedPolicy | MissingPolicy;

export interface LoadedPolicy {
  loaded: true;
  revision: number;
  object(name: string): ObjectView | null;
}

/** A point that holds no policy remembers at most the mode each object had. */
export interface MissingPolicy {
  loaded: false;
  lastKnownMode(name: string): Mode | null;
}

export interface ObjectView {
  protocol: 'http' | 'tcp';
  mode: Mode;
  ports: PortRange[];
  trusts(peer: AddressKey): boolean;
  inFailsafe(source: AddressKey): boolean;
  /** Rules that name this source, sorted by id as ASCII bytes; null when none does. */
  rulesNaming(source: AddressKey): CompiledRule[] | null;
}

/** Judges one flow by the first line that holds; `flow.from` is the peer's address as text. */
export function decide(policy: PolicyView, flow: Flow): Verdict {
  return decideFor(policy, parseAddress(flow.from), flow);
}

/** The same for a point that has the peer's address as bytes: `flow.from` is not read. */
export function decideFor(policy: PolicyView, peer: AddressKey | null, flow: Flow): Verdict {
  if (!policy.loaded) {
    return policy.lastKnownMode(flow.to) === 'off' ? because('allow', 'mode-off', 0) : because('deny', 'no-policy', 0);
  }
  const revision = policy.revision;
  const object = policy.object(flow.to);
  if (object === null) return because('deny', 'unknown-object', revision);
  if (object.mode === 'off') return because('allow', 'mode-off', revision);
  const source = peer === null ? null : judgedAddress(object, peer, flow);
  if (source !== null && flow.port === 'tcp/22' && object.inFailsafe(source)) {
    return because('allow', 'failsafe', revision);
  }
  const naming = source === null ? null : object.rulesNaming(source);
  if (naming === null || naming.length === 0) return because('deny', 'unknown-source', revision);
  const rules = rulesOnPort(object, naming, flow.port);
  if (rules.length === 0) return because('deny', 'port-not-allowed', revision);
  return decideRequest(object, rules, flow, revision);
}

/** Whom a flow comes from: on an object whose requests are judged, whoever its trusted proxies speak for. */
export function judgedAddress(object: ObjectView, peer: AddressKey, flow: Flow): AddressKey {
  return object.protocol === 'http' ? effectiveSource(object, peer, flow.forwardedFor) : peer;
}

/** Lines 5 to 9, for rules whose source and port match. */
function decideRequest(object: ObjectView, rules: CompiledRule[], flow: Flow, revision: number): Verdict {
  const blanket = first(rules, (rule) => rule.action === 'deny' && rule.http === null);
  if (blanket !== null) return because('deny', 'denied-by-rule', revision, blanket);
  const judged = object.protocol === 'http' && first(rules, (rule) => rule.http !== null) !== null;
  const request = judged ? plainRequest(flow.method, flow.path, flow.host) : null;
  if (judged && request === null) return because('deny', 'bad-request', revision);
  const matches = (rule: CompiledRule): boolean =>
    rule.http === null || (request !== null && rule.http.some((condition) => conditionMatches(condition, request)));
  const denying = first(rules, (rule) => rule.action === 'deny' && matches(rule));
  if (denying !== null) return because('deny', 'denied-by-rule', revision, denying);
  const allowing = first(rules, (rule) => rule.action === 'allow' && matches(rule));
  if (allowing !== null) return because('allow', 'allowed-by-rule', revision, allowing);
  return because('deny', 'request-not-allowed', revision);
}

function rulesOnPort(object: ObjectView, rules: CompiledRule[], text: string): CompiledRule[] {
  const port = parsePort(text);
  if (port === null || !includesPort(object.ports, port)) return [];
  return rules.filter((rule) => rule.ports === null || includesPort(rule.ports, port));
}

function first(rules: CompiledRule[], holds: (rule: CompiledRule) => boolean): CompiledRule | null {
  for (let i = 0; i < rules.length; i += 1) {
    const rule = rules[i] as CompiledRule;
    if (holds(rule)) return rule;
  }
  return null;
}

function because(verdict: 'allow' | 'deny', reason: Reason, revision: number, rule?: CompiledRule): Verdict {
  return { verdict, reason, rule: rule === undefined ? null : rule.id, revision };
}
