/**
 * An estate that people govern: two points with two objects each, and versions of its policy that differ in every way that
 * opens or closes something. A version is a small description, so that a search can vary it.
 */
import type { PointRules } from '@edgeward/policy';
import fc from 'fast-check';
import { sliceDocuments } from '../kit/signed-world.ts';

export const POINTS: readonly ['edge-1', 'edge-2'] = ['edge-1', 'edge-2'];
/** When every world of these tests begins. */
export const START_MS: number = Date.parse('2026-11-22T12:00:00Z');
export const HOUR_MS = 3_600_000;

export interface Edition {
  /** Which of `RULES` are in it. */
  rules: number;
  /** How wide the fences are: `FENCES`. */
  fence: number;
  mode: 'enforce' | 'observe' | 'off';
  /** The object whose mode that is; the others are enforced. */
  lax: number;
}

export const arbitraryEdition: fc.Arbitrary<Edition> = fc.record({
  rules: fc.integer({ min: 1, max: 255 }),
  fence: fc.integer({ min: 0, max: 2 }),
  mode: fc.oneof({ weight: 6, arbitrary: fc.constant('enforce' as const) }, fc.constantFrom('observe', 'off')),
  lax: fc.integer({ min: 0, max: 3 }),
});

const FENCES = [['10.30.0.0/24'], ['10.30.0.0/16', '10.31.0.0/20'], ['10.40.0.0/16', '2001:db8:40::/48']] as const;

type Rule = (within: readonly string[]) => Record<string, unknown>;

const RULES: readonly Rule[] = [
  (within) => ({ id: 'crm', from: [workloads('crm', within)], to: "app == 'shop'", ports: ['tcp/443'] }),
  (within) => ({ id: 'ops', from: [workloads('ops', within)], to: "app == 'db'" }),
  () => ({ id: 'branch', from: [{ network: 'branch' }], to: "app == 'shop'", ports: ['tcp/443'] }),
  (within) => ({
    id: 'quarantine',
    action: 'deny',
    from: [workloads('quarantined', within), { cidr: '192.0.2.64/26' }],
    to: 'all()',
  }),
  () => ({ id: 'grant', from: [{ cidr: '203.0.113.0/24' }], to: "app == 'db'", until: '2026-11-22T15:00:00Z' }),
  (within) => ({
    id: 'reading',
    from: [workloads('reader', within), { cidr: '198.51.100.0/28' }],
    to: "app == 'shop'",
    http: [{ methods: ['GET'], path: '/v1/*' }],
  }),
  () => ({ id: 'other', from: [workloads('ops', ['10.50.0.0/28'])], to: "name == 'two'", ports: ['tcp/5432'] }),
  () => ({ id: 'writers', action: 'deny', from: [{ any: true }], to: "app == 'shop'", http: [{ methods: ['POST'] }] }),
];

/** Addresses of each family in any group. */
export const MOST = 3;

function workloads(app: string, within: readonly string[]): unknown {
  return { workloads: `app == '${app}'`, within, max: MOST };
}

export function editionRules({ rules, fence, mode, lax }: Edition): PointRules[] {
  const within = FENCES[fence] ?? FENCES[0];
  const servers = POINTS.flatMap((point, at) => [
    { name: `shop-${at}`, labels: { app: 'shop', name: at === 0 ? 'one' : 'two' }, point, ports: ['tcp/443'] },
    {
      name: `db-${at}`,
      labels: { app: 'db', name: at === 0 ? 'one' : 'two' },
      point,
      ports: ['tcp/5432'],
      protocol: 'tcp',
    },
  ]).map((server, at) => ({
    kind: 'VirtualServer',
    bind: server.name,
    mode: at === lax ? mode : 'enforce',
    ...server,
  }));
  const branch = {
    kind: 'Network',
    name: 'branch',
    cidrs: ['192.0.2.0/25'],
    except: ['192.0.2.7'],
    expires: '2026-11-22T20:00:00Z',
  };
  const taken = RULES.filter((_, at) => (rules & (1 << at)) !== 0).map((rule) => rule(within));
  return sliceDocuments([...servers, branch, { kind: 'Policy', name: 'estate', rules: taken }]);
}

/** Inside every fence and just outside of it, and what is in no rule at all. */
export const SOURCES: readonly string[] = [
  ...['10.30.0.0', '10.30.0.9', '10.30.0.255', '10.30.1.0', '10.30.255.255', '10.31.0.1', '10.31.16.0', '10.32.0.1'],
  ...['10.40.0.0', '10.40.3.4', '10.41.0.0', '10.39.255.255', '10.50.0.1', '10.50.0.16', '10.29.255.255'],
  ...['2001:db8:40::1', '2001:db8:41::1', '2001:db8:3f:ffff::1', '::ffff:10.30.0.9', '::a1e:9'],
  ...['192.0.2.1', '192.0.2.7', '192.0.2.65', '192.0.2.128', '203.0.113.5', '203.0.114.0', '198.51.100.3'],
  ...['198.51.100.16', '8.8.8.8', '0.0.0.0', '255.255.255.255', '::1'],
];

/** What a store can name as members: plain addresses only, or they would be refused for their form. */
export const ADDRESSES: readonly string[] = SOURCES.filter((it) => it !== '::ffff:10.30.0.9');
