/** Policies of one host with as many sources as asked for, scattered so that none join. */
import type { CompiledPolicy, Labelled } from '@edgeward/policy';
import { pack, unpack } from '@edgeward/policy';
import { sha256Hex } from '@edgeward/runtime';
import { compileDocuments } from '../kit/index.ts';

export interface HostPolicyOrder {
  revision: number;
  /** Every second address from 11.0.0.0. */
  members: number;
  /** The first so many of them are left out. */
  without?: number;
  ports: string[];
  /** Let in beside them. */
  friends?: string[];
  mode?: 'enforce' | 'observe';
}

const FIRST = 0x0b00_0000;

/** Compiled with one source, which then becomes as many: what compiles is measured elsewhere. */
export function hostPolicy(order: HostPolicyOrder): CompiledPolicy {
  const { revision, members, without = 0, ports, friends = [], mode = 'enforce' } = order;
  const from = ['198.18.0.1/32', ...friends].map((cidr) => ({ cidr }));
  const documents = [
    { kind: 'Workload', name: 'db', labels: { app: 'db' }, addresses: ['10.40.0.7'], point: 'h', mode },
    { kind: 'Point', name: 'h', management: ['10.99.0.0/24', '2001:db8:99::/64'] },
    { kind: 'Policy', name: 'p', rules: [{ id: 'r', from, to: "app == 'db'", ports }] },
  ];
  const policy = compileDocuments(documents, { revision, point: 'h' });
  const objects = policy.objects.map((object) => ({
    ...object,
    sources: many(unpack(object.sources), members, without),
  }));
  const hash = sha256Hex(JSON.stringify({ ...order, revision: 0, members, without, hash: policy.hash }));
  return { ...policy, hash, objects };
}

function many(sources: Labelled[], members: number, without: number): ReturnType<typeof pack> {
  const value = sources.find(({ lo }) => lo === 'c6120001')?.value ?? 0;
  const added = Array.from({ length: members - without }, (_, index) => {
    const key = (FIRST + (index + without) * 2).toString(16).padStart(8, '0');
    return { lo: key, hi: key, value };
  });
  const sorted = [...added, ...sources].sort((one, other) =>
    one.lo.length === other.lo.length ? (one.lo < other.lo ? -1 : 1) : one.lo.length - other.lo.length,
  );
  return pack(sorted);
}
