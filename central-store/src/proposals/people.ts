import type { Role, TrustRoot } from '@edgeward/policy-format';
import { EdgewardError } from '@edgeward/runtime';
import type { Actor } from '../record/attempt.ts';

/** Who may do what, by the newest trust root. A certificate says who somebody is, never what for. */

/** Throws EDW_ERR_STORE_ROLE unless the actor has one of these roles. */
export function requireRole(root: TrustRoot, actor: Actor, roles: readonly Role[], what: string): void {
  const person = root.people.find((it) => it.name === actor.name);
  if (person?.roles.some((role) => roles.includes(role))) return;
  throw new EdgewardError('EDW_ERR_STORE_ROLE', `${what}: ${actor.name} has no role ${roles.join(' or ')}`, {
    mend: 'Let somebody do it who has the role, or propose a trust root that gives it.',
  });
}

export function hasRole(root: TrustRoot, name: string, role: Role): boolean {
  return root.people.some((it) => it.name === name && it.roles.includes(role));
}
