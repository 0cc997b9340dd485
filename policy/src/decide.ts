import type { AddressKey } from './address.ts';
import { parseAddress } from './address.ts';
import type { CompiledRule, HttpCondition } from './compiled.ts';
import type { Flow, Mode, Reason, Verdict } from './flow.ts';
import { listsPort } from './ports.ts';
import type { PlainRequest } from './request.ts';
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
  /** Whether this is a port of it; `tcp/443`. */
  lists(port: string): boolean;
  trusts(peer: AddressKey): boolean;
  inFailsafe(source: AddressKey): boolean;
  /** Rules that name this source, sorted by id as ASCII bytes; null when none does. */
  rulesNaming(source: AddressKey): CompiledRule[] | null;
}

/** Judges one flow by the first line that holds; `flow.from` is the peer's address as text. */
export function decide(policy: PolicyView, flow: Flow): Verdict {
  return decideFor(policy, parseAddress(flow.from), flow);
}

/**
 * The same for a point that has the peer's address as bytes: `flow.from` is not read. A point that pays for reading a
 * request gives `read`: it is asked for the whole flow where a trusted proxy or a rule's condition turns on it, and
 * until then `flow` need name no more than the object and the port.
 */
export function decideFor(policy: PolicyView, peer: AddressKey | null, flow: Flow, read?: () => Flow): Verdict {
  if (!policy.loaded) {
    return policy.lastKnownMode(flow.to) === 'off' ? because('allow', 'mode-off', 0) : because('deny', 'no-policy', 0);
  }
  const revision = policy.revision;
  const object = policy.object(flow.to);
  if (object === null) return because('deny', 'unknown-object', revision);
  if (object.mode === 'off') return because('allow', 'mode-off', revision);
  const source = peer === null ? null : judgedAddress(object, peer, flow, read);
  if (source !== null && flow.port === 'tcp/22' && object.inFailsafe(source)) {
    return because('allow', 'failsafe', revision);
  }
  const naming = source === null ? null : object.rulesNaming(source);
  if (naming === null || naming.length === 0) return because('deny', 'unknown-source', revision);
  const rules = rulesOnPort(object, naming, flow.port);
  if (rules.length === 0) return because('deny', 'port-not-allowed', revision);
  return decideRequest(object, rules, revision, () => wholeOf(flow, read));
}

/** Whom a flow comes from: on an object whose requests are judged, whoever its trusted proxies speak for. */
export function judgedAddress(object: ObjectView, peer: AddressKey, flow: Flow, read?: () => Flow): AddressKey {
  if (object.protocol !== 'http' || !object.trusts(peer)) return peer;
  return effectiveSource(object, peer, wholeOf(flow, read).forwardedFor);
}

function wholeOf(flow: Flow, read: (() => Flow) | undefined): Flow {
  return read === undefined ? flow : read();
}

/** Lines 5 to 9, for rules whose source and port match. */
function decideRequest(object: ObjectView, rules: CompiledRule[], revision: number, whole: () => Flow): Verdict {
  let asks = false;
  for (let i = 0; i < rules.length; i += 1) {
    const rule = rules[i] as CompiledRule;
    if (rule.http !== null) asks = true;
    else if (rule.action === 'deny') return because('deny', 'denied-by-rule', revision, rule);
  }
  const judged = asks && object.protocol === 'http';
  const request = judged ? plainOf(whole()) : null;
  if (judged && request === null) return because('deny', 'bad-request', revision);
  const denying = matching(rules, 'deny', request);
  if (denying !== null) return because('deny', 'denied-by-rule', revision, denying);
  const allowing = matching(rules, 'allow', request);
  if (allowing !== null) return because('allow', 'allowed-by-rule', revision, allowing);
  return because('deny', 'request-not-allowed', revision);
}

function plainOf(flow: Flow): PlainRequest | null {
  return plainRequest(flow.method, flow.path, flow.host);
}

/** The first rule of this action whose conditions hold; without a request, none that has any. */
function matching(rules: CompiledRule[], action: string, request: PlainRequest | null): CompiledRule | null {
  for (let i = 0; i < rules.length; i += 1) {
    const rule = rules[i] as CompiledRule;
    if (rule.action === action && (rule.http === null || holdsFor(rule.http, request))) return rule;
  }
  return null;
}

function holdsFor(conditions: HttpCondition[], request: PlainRequest | null): boolean {
  return request !== null && conditions.some((condition) => conditionMatches(condition, request));
}

function rulesOnPort(object: ObjectView, rules: CompiledRule[], text: string): CompiledRule[] {
  if (!object.lists(text)) return [];
  const onPort: CompiledRule[] = [];
  for (let i = 0; i < rules.length; i += 1) {
    const rule = rules[i] as CompiledRule;
    if (rule.ports === null || listsPort(rule.ports, text)) onPort.push(rule);
  }
  return onPort;
}

function because(verdict: 'allow' | 'deny', reason: Reason, revision: number, rule?: CompiledRule): Verdict {
  return { verdict, reason, rule: rule === undefined ? null : rule.id, revision };
}
