/**
 * What people could have meant, worked out by expanding everything. It shares no code with what it judges: addresses are
 * whole numbers, rules are read as they were signed, and a member is whoever is inside a fence. So it says of a flow not
 * whether it is allowed, but whether any inventory at all could have made it so.
 */
import type { PointRule, PointRules, RuleGroup } from '@edgeward/policy';

export interface Asked {
  from: string;
  to: string;
  port: string;
  method: string;
  path: string;
}

/** Whether the traffic may pass under these rules at this time, with the inventory that suits the asker best. */
export function mayPass(rules: PointRules, asked: Asked, nowMs: number): boolean {
  const object = rules.objects.find(({ name }) => name === asked.to);
  if (object === undefined) return false;
  if (object.mode !== 'enforce') return true;
  if (asked.port === 'tcp/22' && object.failsafe.some((cidr) => holds(cidr, asked.from))) return true;
  if (!object.ports.includes(asked.port)) return false;
  const matching = rules.rules.filter((rule) => matches(rule, asked, object.protocol === 'http', nowMs));
  const names = (rule: PointRule, certainly: boolean): boolean =>
    rule.from.some((id) => couldHold(groupOf(rules, id), asked.from, nowMs, certainly));
  // A group that denies can be emptied: only what no inventory changes certainly denies.
  if (matching.some((rule) => rule.action === 'deny' && names(rule, true))) return false;
  return matching.some((rule) => rule.action === 'allow' && names(rule, false));
}

function matches(rule: PointRule, asked: Asked, isHttp: boolean, nowMs: number): boolean {
  if (!rule.to.includes(asked.to)) return false;
  if (rule.until !== null && nowMs >= Date.parse(rule.until)) return false;
  if (rule.ports !== null && !rule.ports.includes(asked.port)) return false;
  if (rule.http === null) return true;
  return isHttp && rule.http.some(({ methods, path }) => fits(methods, path, asked));
}

function fits(methods: readonly string[] | undefined, path: string | undefined, asked: Asked): boolean {
  if (methods !== undefined && !methods.includes(asked.method)) return false;
  if (path === undefined) return true;
  if (!path.endsWith('/*')) return asked.path === path;
  return asked.path === path.slice(0, -2) || asked.path.startsWith(path.slice(0, -1));
}

function groupOf(rules: PointRules, id: string): RuleGroup {
  const found = rules.groups.find((group) => group.id === id);
  if (found === undefined) throw new Error(`no group ${id}`);
  return found;
}

function couldHold(group: RuleGroup, from: string, nowMs: number, certainly: boolean): boolean {
  switch (group.kind) {
    case 'any':
      return true;
    case 'cidr':
      return holds(group.cidr, from);
    case 'network':
      if (group.expires !== null && nowMs >= Date.parse(group.expires)) return false;
      return group.cidrs.some((cidr) => holds(cidr, from)) && !group.except.some((cidr) => holds(cidr, from));
    case 'workloads':
      return !certainly && (group.within === null || group.within.some((cidr) => holds(cidr, from)));
  }
}

export function holds(cidr: string, address: string): boolean {
  const [base = '', length] = cidr.split('/');
  const net = numberOf(base);
  const it = numberOf(address);
  if (net.bits !== it.bits) return false;
  const shift = BigInt(net.bits - Number(length ?? net.bits));
  return net.value >> shift === it.value >> shift;
}

function numberOf(address: string): { bits: number; value: bigint } {
  const text = address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
  if (!text.includes(':')) {
    const value = text.split('.').reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
    return { bits: 32, value };
  }
  const [left = '', right] = text.split('::');
  const before = left === '' ? [] : left.split(':');
  const after = right === undefined || right === '' ? [] : right.split(':');
  const words = [...before, ...new Array(8 - before.length - after.length).fill('0'), ...after];
  return { bits: 128, value: words.reduce((sum, word) => sum * 65_536n + BigInt(`0x${word}`), 0n) };
}
