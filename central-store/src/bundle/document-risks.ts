import type { ProtectedObject } from '@edgeward/policy';
import { covers, isSame, isWide } from './address-sets.ts';
import type { NetworkDocument, PolicyView } from './policy-view.ts';
import type { RiskFinding } from './risks.ts';

/** Risks that lie in objects, networks, points and tests, whatever the rules that name them. */
export function documentRisks(was: PolicyView, is: PolicyView): RiskFinding[] {
  return [...objectRisks(was, is), ...networkRisks(was, is), ...managementRisks(was, is), ...testRisks(was, is)];
}

const STRICTNESS = { off: 0, observe: 1, enforce: 2 } as const;

function objectRisks(was: PolicyView, is: PolicyView): RiskFinding[] {
  return [...was.objects.values()].flatMap((before) => {
    const after = is.objects.get(before.name);
    const where = `object ${before.name}`;
    const lowered = loweredMode(before, after);
    const out: RiskFinding[] = lowered === null ? [] : [{ risk: 'mode-lowered', where, message: lowered }];
    // Fewer proxies are no narrower: whoever comes through one is then judged by the address of the proxy.
    if (after !== undefined && !isSame(before.trustedProxies, after.trustedProxies))
      out.push({ risk: 'proxies-widened', where, message: 'another set of peers is believed about the source' });
    return out;
  });
}

/** Where an object stands no longer is nothing enforced: that what it fronted is gone as well, nobody can see here. */
function loweredMode(before: ProtectedObject, after: ProtectedObject | undefined): string | null {
  if (before.mode === 'off') return null;
  if (after === undefined) return 'it is protected no longer';
  if (STRICTNESS[after.mode] < STRICTNESS[before.mode]) return `its mode goes from ${before.mode} to ${after.mode}`;
  const isMoved = before.point !== after.point || before.bind !== after.bind || before.kind !== after.kind;
  return isMoved ? `it is no longer protected as '${before.bind}' at the point '${before.point}'` : null;
}

function networkRisks(was: PolicyView, is: PolicyView): RiskFinding[] {
  return [...is.networks.values()].flatMap((after) => {
    const before = was.networks.get(after.name);
    if (before === undefined || !isWidened(before, after)) return [];
    const uses = usesOf(is, after.name);
    // A list of what is denied may grow.
    if (uses.deny && !uses.allow && !usesOf(was, after.name).allow) return [];
    const where = `network ${after.name}`;
    const out: RiskFinding[] = [{ risk: 'fence-widened', where, message: 'it holds more addresses, or for longer' }];
    if (uses.allow && isWide(after.cidrs))
      out.push({ risk: 'any-source', where, message: 'it was changed, and holds more than a /8 or an IPv6 /16' });
    return out;
  });
}

function isWidened(before: NetworkDocument, after: NetworkDocument): boolean {
  if (!covers(before.cidrs, after.cidrs) || !covers(after.except, before.except)) return true;
  return isLater(before.expiresMs, after.expiresMs);
}

/** null never ends. */
export function isLater(before: number | null, after: number | null): boolean {
  return before !== null && (after === null || after > before);
}

function usesOf(view: PolicyView, network: string): { allow: boolean; deny: boolean } {
  const uses = { allow: false, deny: false };
  for (const { rule, terms } of view.rules.values())
    if (terms.some((term) => term.kind === 'network' && term.name === network)) uses[rule.action] = true;
  return uses;
}

function managementRisks(was: PolicyView, is: PolicyView): RiskFinding[] {
  return [...is.points.values()].flatMap((after) => {
    const before = was.points.get(after.name)?.management ?? [];
    if (covers(before, after.management)) return [];
    const message = 'more addresses may always reach tcp/22';
    return [{ risk: 'fence-widened' as const, where: `point ${after.name}`, message }];
  });
}

function testRisks(was: PolicyView, is: PolicyView): RiskFinding[] {
  const gone = [...was.tests].filter((test) => !is.tests.has(test)).length;
  if (gone === 0) return [];
  const message = `${gone} ${gone === 1 ? 'test is' : 'tests are'} gone or changed`;
  return [{ risk: 'tests-removed', where: 'tests', message }];
}
