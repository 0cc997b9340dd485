/** Bad documents and all that is found in them; each case is right but for what its name says. */

/** A code, and where: the number of the document, then the path in it, as in `0.rules.1.to`. */
export type Found = [code: string, at: string];

export interface Case {
  name: string;
  documents: unknown[];
  /** Everything that is found, in any order. */
  finds: Found[];
  /** The instant to resolve at, where it matters. */
  now?: string;
  /** Whether only the inventory moved since the last publication. */
  inventoryOnly?: true;
}

export const NOW = '2026-11-22T00:00:00Z';

type Rest = Record<string, unknown>;

export const workload = (rest: Rest = {}): unknown => ({
  kind: 'Workload',
  name: 'crm-1',
  labels: { app: 'crm' },
  addresses: ['10.30.1.4'],
  ...rest,
});

export const host = (rest: Rest = {}): unknown =>
  workload({ name: 'db-1', labels: { app: 'db' }, addresses: ['10.40.0.7'], point: 'host-db-1', ...rest });

export const server = (rest: Rest = {}): unknown => ({
  kind: 'VirtualServer',
  name: 'front',
  labels: { app: 'shop' },
  point: 'edge-1',
  bind: 'front',
  ports: ['tcp/443'],
  ...rest,
});

export const network = (rest: Rest = {}): unknown => ({
  kind: 'Network',
  name: 'branches',
  cidrs: ['192.0.2.0/24'],
  ...rest,
});

export const rule = (rest: Rest = {}): Rest => ({
  id: 'r',
  from: [{ cidr: '10.0.0.0/8' }],
  to: "app == 'shop'",
  ...rest,
});

export const policy = (...rules: unknown[]): unknown => ({ kind: 'Policy', name: 'shop', rules });

/** A policy of one rule for the one server, which is right but for `rest`. */
export const shop = (rest: Rest): unknown[] => [server(), policy(rule(rest))];

export const without = (document: unknown, key: string): unknown => {
  const copy = { ...(document as Rest) };
  delete copy[key];
  return copy;
};
