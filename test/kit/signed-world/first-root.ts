/** Who is believed in a signed world: enough people that every threshold can be met and missed. */
import { digestOf, type Person, type Role, type SigningKey, type TrustRoot } from '@edgeward/policy-format';
import { seededKey } from './seeded-key.ts';

export type PersonName = keyof typeof ROLES;

const ROLES = {
  alice: ['author'],
  bob: ['author', 'approver'],
  carol: ['approver'],
  erin: ['approver'],
  pat: ['publisher'],
} satisfies Record<string, Role[]>;

export interface WorldKeys {
  people: Record<PersonName, SigningKey>;
  store: SigningKey;
  log: SigningKey;
}

export async function worldKeys(seed: string): Promise<WorldKeys> {
  const people: Partial<Record<PersonName, SigningKey>> = {};
  for (const name of Object.keys(ROLES) as PersonName[]) people[name] = await seededKey(`${seed} ${name}`);
  return {
    people: people as Record<PersonName, SigningKey>,
    store: await seededKey(`${seed} store`),
    log: await seededKey(`${seed} log`),
  };
}

export function firstRoot(seed: string, keys: WorldKeys, nowMs: number): TrustRoot {
  const people = Object.entries(ROLES).map(
    ([name, roles]): Person => ({
      name,
      roles: [...roles],
      keys: roles.some((role) => role !== 'publisher') ? [keys.people[name as PersonName].publicKey] : [],
    }),
  );
  return {
    typ: 'edgeward-root/1',
    store: digestOf(`edgeward test store ${seed}`).slice(0, 32),
    version: 1,
    epoch: 1,
    previous: null,
    issuedAt: new Date(nowMs).toISOString(),
    people,
    thresholds: { normal: 1, elevated: 2, root: 2, breakGlassHours: 4 },
    storeKeys: [keys.store.publicKey],
    logKeys: [keys.log.publicKey],
  };
}
