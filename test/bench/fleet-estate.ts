/**
 * An estate for a fleet: one virtual server at each point, nine rules of its own, one that it shares with the 19 points of
 * its block, one that all share. Three workloads are there to be moved: into a group that one point names, one that a block
 * names, one that all name.
 */
import type { Labels } from '@edgeward/policy';

export interface FleetEstate {
  points: number;
  workloads: number;
  rules: number;
  /** Everything that people sign; another edition has another path in the rule of all points. */
  documents(edition: number): object[];
  /** The inventory as NDJSON, with these workloads to be moved. */
  inventory(moved: Moved): string;
  /** Documents and inventory in one piece. */
  whole(edition: number, moved: Moved): string;
}

/** Where the three workloads are: in which point's and which block's own group, and whether in that of all; null: in none. */
export interface Moved {
  point: number | null;
  block: number | null;
  everywhere: boolean;
}

export const BLOCK = 20;
export const NOWHERE: Moved = { point: null, block: null, everywhere: false };
const WORKLOADS_PER_POINT = 20;
const OWN_RULES = 9;
const ROLES = ['web', 'api', 'db'];
const ENVS = ['prod', 'stage', 'dev'];
const LOCS = ['eu', 'us', 'ap', 'sa'];
const FENCE = { within: ['10.0.0.0/8'], max: 5_000 };

/** Points that share one: few, as the store bounds the connections of each. */
export const POINTS_PER_CERTIFICATE = 5;
export const certificateOf = (point: number): number => Math.floor(point / POINTS_PER_CERTIFICATE);
export const pointName = (point: number): string => `edge-${point}`;

export function fleetEstate(points: number): FleetEstate {
  const workloads = points * WORKLOADS_PER_POINT;
  const blocks = Math.ceil(points / BLOCK);
  let lines: string | null = null;
  const fixed = (): string => {
    lines ??= Array.from({ length: workloads - 3 }, (_, i) => workload(i, points)).join('\n');
    return lines;
  };
  const documents = (edition: number): object[] => [
    ...Array.from({ length: points }, (_, point) => [front(point), ownPolicy(point, points)]).flat(),
    ...Array.from({ length: blocks }, (_, block) => blockPolicy(block)),
    commonPolicy(edition),
  ];
  const inventory = (moved: Moved): string => `${fixed()}\n${movable(moved).join('\n')}\n`;
  return {
    points,
    workloads,
    rules: points * OWN_RULES + blocks + 1,
    documents,
    inventory,
    whole: (edition, moved) =>
      `{"documents":${JSON.stringify(documents(edition))},"workloads":[${inventory(moved).trimEnd().replaceAll('\n', ',')}]}`,
  };
}

function workload(i: number, points: number): string {
  const within = Math.floor(i / points);
  const labels: Labels = {
    app: `app-${i % points}`,
    role: ROLES[within % ROLES.length] as string,
    env: ENVS[Math.floor(within / ROLES.length) % ENVS.length] as string,
    loc: LOCS[within % LOCS.length] as string,
  };
  return line(`w-${i}`, labels, `10.${(i >> 16) & 127}.${(i >> 8) & 255}.${i & 255}`);
}

function movable({ point, block, everywhere }: Moved): string[] {
  return [
    line('moved-1', { role: 'ops', app: point === null ? 'none' : `app-${point}` }, '10.200.0.1'),
    line('moved-2', { role: 'backup', block: block === null ? 'none' : `block-${block}` }, '10.200.0.2'),
    line('moved-3', { role: everywhere ? 'monitor' : 'spare' }, '10.200.0.3'),
  ];
}

function line(name: string, labels: Labels, address: string): string {
  return JSON.stringify({ kind: 'Workload', name, labels, addresses: [address] });
}

function front(point: number): object {
  return {
    kind: 'VirtualServer',
    name: `vs-${point}`,
    labels: { app: `app-${point}`, block: `block-${Math.floor(point / BLOCK)}`, role: 'front' },
    point: pointName(point),
    bind: `vs-${point}`,
    ports: ['tcp/443'],
    mode: 'enforce',
  };
}

/** The first rule names a group that no other point has, the others groups that two points name on average. */
function ownPolicy(point: number, points: number): object {
  const rules = Array.from({ length: OWN_RULES }, (_, n) => ({
    id: `r-${point}-${n}`,
    from: [
      { workloads: n === 0 ? `app == 'app-${point}' && role == 'ops'` : selector((point * 7 + n * 13) % points, n) },
    ],
    to: `app == 'app-${point}' && role == 'front'`,
    http: [{ methods: ['GET'], path: `/v${n}/*` }],
  }));
  return fenced(`p-${point}`, rules);
}

function selector(app: number, n: number): string {
  return `app == 'app-${app}' && role == '${ROLES[n % ROLES.length]}' && env == '${ENVS[Math.floor(n / ROLES.length) % ENVS.length]}'`;
}

function blockPolicy(block: number): object {
  const from = [{ workloads: `role == 'backup' && block == 'block-${block}'` }];
  const to = `role == 'front' && block == 'block-${block}'`;
  return fenced(`block-${block}`, [{ id: `backup-${block}`, from, to, http: [{ methods: ['GET'], path: '/backup' }] }]);
}

function commonPolicy(edition: number): object {
  const http = [{ methods: ['GET'], path: `/health/${edition}` }];
  return fenced('common', [{ id: 'health', from: [{ workloads: "role == 'monitor'" }], to: "role == 'front'", http }]);
}

function fenced(name: string, rules: { id: string; from: object[]; to: string; http: object[] }[]): object {
  return {
    kind: 'Policy',
    name,
    rules: rules.map((rule) => ({ ...rule, from: rule.from.map((term) => ({ ...term, ...FENCE })) })),
  };
}
