/** People with keys, a trust root that names them, and approvals by them. */
import { type Approval, generateSigningKey, type Person, type SigningKey, sign, type TrustRoot } from '../src/index.ts';

export const STORE = '0123456789abcdef0123456789abcdef';
export const AT_MS: number = Date.parse('2026-11-22T10:00:00.000Z');

export interface TrustWorld {
  root: TrustRoot;
  /** `ana`, `ben`, `cleo`, `dora`, `viv`; `cleo2` is a second key of Cleo. `store`, `log`, `stranger`. */
  keys: Record<string, SigningKey>;
  key(name: string): SigningKey;
}

const ROLES: Record<string, Person['roles']> = {
  ana: ['author'],
  ben: ['approver'],
  cleo: ['approver', 'author'],
  dora: ['approver'],
  viv: ['viewer', 'publisher'],
};

export async function trustWorld(): Promise<TrustWorld> {
  const names = [...Object.keys(ROLES), 'cleo2', 'store', 'log', 'stranger'];
  const entries = await Promise.all(names.map(async (name) => [name, await generateSigningKey()] as const));
  const keys = Object.fromEntries(entries);
  const key = (name: string): SigningKey => {
    const found = keys[name];
    if (found === undefined) throw new Error(`no key ${name}`);
    return found;
  };
  const people = Object.entries(ROLES).map(([name, roles]) => ({
    name,
    roles,
    keys: name === 'cleo' ? [key('cleo').publicKey, key('cleo2').publicKey] : [key(name).publicKey],
  }));
  const root: TrustRoot = {
    typ: 'edgeward-root/1',
    store: STORE,
    version: 1,
    epoch: 1,
    previous: null,
    issuedAt: '2026-11-01T00:00:00.000Z',
    people,
    thresholds: { normal: 1, elevated: 2, root: 2, breakGlassHours: 2 },
    storeKeys: [key('store').publicKey],
    logKeys: [key('log').publicKey],
  };
  return { root, keys, key };
}

export function approvalBy(proposedBy: string, changes: Partial<Approval> = {}): Approval {
  return {
    typ: 'edgeward-approval/1',
    store: STORE,
    root: 1,
    version: 7,
    previous: 'a'.repeat(64),
    documents: { digest: 'b'.repeat(64), bytes: 10, count: 1 },
    slices: { root: 'c'.repeat(64), count: 3 },
    proposedBy,
    proposedAt: '2026-11-22T09:00:00.000Z',
    expiresAt: '2026-11-23T09:00:00.000Z',
    reason: 'CHG-4411',
    risks: [],
    approvals: 1,
    breakGlass: null,
    returnUntil: null,
    ...changes,
  };
}

/** Signed by the named keys. */
export async function signedBy<Value extends { typ: string }>(
  world: TrustWorld,
  value: Value,
  names: readonly string[],
): ReturnType<typeof sign> {
  return sign(
    value,
    names.map((name) => world.key(name)),
  );
}
