/**
 * An estate as `compile` measures it: 20 workloads an app, one virtual server at a point of its own for each app, nine rules
 * for each, of which every one names a group of its own (an app, a role, an environment). One rule of all names everything in
 * production. Beyond 100,000 workloads the apps grow and not their number.
 */
import type { Labels } from '@edgeward/policy';

export interface Estate {
  workloads: number;
  apps: number;
  /** Everything but workloads. */
  policies(): unknown[];
  /** One line of an inventory. */
  line(workload: number, change?: number): string;
}

export const RULES_PER_APP = 9;
const WORKLOADS_PER_APP = 20;
const MOST_APPS = 5_000;
const ROLES = ['web', 'api', 'db'];
const ENVS = ['prod', 'stage', 'dev'];
const LOCS = ['eu', 'us', 'ap', 'sa'];

export function estateOf(workloads: number): Estate {
  const apps = Math.min(MOST_APPS, Math.ceil(workloads / WORKLOADS_PER_APP));
  return {
    workloads,
    apps,
    policies: () => Array.from({ length: apps }, (_, app) => [virtualServer(app), policy(app, apps)]).flat(),
    line: (workload, change = 0) =>
      JSON.stringify({
        kind: 'Workload',
        name: `w-${workload}`,
        labels: labelsOf(workload, apps, change),
        addresses: [`10.${(workload >> 16) & 255}.${(workload >> 8) & 255}.${workload & 255}`],
      }),
  };
}

/** A change moves a workload into another role and environment of its app. */
function labelsOf(workload: number, apps: number, change: number): Labels {
  const within = Math.floor(workload / apps) + change;
  return {
    app: `app-${workload % apps}`,
    role: ROLES[within % ROLES.length] as string,
    env: ENVS[Math.floor(within / ROLES.length) % ENVS.length] as string,
    loc: LOCS[within % LOCS.length] as string,
  };
}

function virtualServer(app: number): unknown {
  return {
    kind: 'VirtualServer',
    name: `vs-${app}`,
    labels: { app: `app-${app}`, role: 'front' },
    point: `edge-${app}`,
    bind: `vs-${app}`,
    ports: ['tcp/443'],
    mode: 'enforce',
  };
}

function policy(app: number, apps: number): unknown {
  const rules = Array.from({ length: RULES_PER_APP }, (_, n) => ({
    id: `r-${app}-${n}`,
    from: [{ workloads: app === 0 && n === 0 ? "env == 'prod'" : selector((app * 7 + n * 13) % apps, n) }],
    to: `app == 'app-${app}' && role == 'front'`,
    http: [{ methods: ['GET'], path: `/v${n}/*` }],
  }));
  return { kind: 'Policy', name: `p-${app}`, rules };
}

function selector(app: number, n: number): string {
  const role = ROLES[n % ROLES.length];
  const env = ENVS[Math.floor(n / ROLES.length) % ENVS.length];
  return `app == 'app-${app}' && role == '${role}' && env == '${env}'`;
}
