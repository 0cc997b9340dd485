/** A policy directory as a small shop has it: 62 workloads, 6 virtual servers, 12 rules, in seven files. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Sources that can be taken on loopback. */
export const MOVED = '127.0.2.1';
export const ALWAYS_ALLOWED = '127.0.2.2';
export const ALWAYS_DENIED = '127.0.2.3';

/** The file that is edited, with the label of one workload as given. */
export function crmWorkloads(env: 'prod' | 'dev'): string {
  const named = [
    workload('crm-moved', 'crm', env, MOVED),
    workload('crm-steady', 'crm', 'prod', ALWAYS_ALLOWED),
    workload('crm-dev', 'crm', 'dev', ALWAYS_DENIED),
  ];
  return [...named, ...fleet('crm', 30)].join('---\n');
}

/** Where `crmWorkloads` stands below the directory. */
export const CRM_FILE = 'inventory/crm.yaml';

export async function writeSmallPolicies(directory: string): Promise<void> {
  for (const folder of ['inventory', 'rules']) await mkdir(join(directory, folder), { recursive: true });
  const files: Record<string, string> = {
    [CRM_FILE]: crmWorkloads('prod'),
    'inventory/billing.yaml': fleet('billing', 31).join('---\n'),
    'inventory/reports.yaml': fleet('reports', 41).slice(0, 9).join('---\n'),
    'networks.yaml': NETWORKS,
    'servers.yaml': APPS.map(virtualServer).join('---\n'),
    'rules/shop.yaml': policy('shop', ['crm', 'billing', 'reports']),
    'rules/intern.yaml': policy('intern', ['wiki', 'mail', 'store']),
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
}

const APPS = ['shop', 'crm', 'billing', 'reports', 'wiki', 'mail'];

const NETWORKS = `kind: Network
name: branch-offices
cidrs: [192.0.2.0/24, "2001:db8:7::/48"]
except: [192.0.2.66]
---
kind: Service
name: https
ports: [tcp/443]
`;

function workload(name: string, app: string, env: string, address: string): string {
  return `kind: Workload\nname: ${name}\nlabels: { app: ${app}, role: api, env: ${env}, loc: eu }\naddresses: [${address}]\n`;
}

function fleet(app: string, third: number): string[] {
  return Array.from({ length: 25 }, (_, i) =>
    workload(`${app}-${i}`, app, i % 4 === 0 ? 'dev' : 'prod', `10.${third}.0.${i + 1}`),
  );
}

function virtualServer(app: string): string {
  const name = app === 'shop' ? 'order-front' : `${app}-front`;
  const labels = `{ app: ${app}, role: web, env: prod }`;
  return `kind: VirtualServer\nname: ${name}\nlabels: ${labels}\npoint: edge-1\nbind: ${name}\nports: [tcp/443]\nmode: enforce\n`;
}

function policy(name: string, sources: string[]): string {
  const rules = sources.flatMap((source) => [
    rule(`${name}-${source}-orders`, source, 'shop'),
    rule(`${name}-${source}-wiki`, source, 'wiki'),
  ]);
  const test = `tests:\n  - { from: ${ALWAYS_ALLOWED}, to: order-front, port: tcp/443, request: GET /v1/orders/7, expect: allow }\n`;
  return `kind: Policy\nname: ${name}\nrules:\n${rules.join('')}${name === 'shop' ? test : ''}`;
}

function rule(id: string, source: string, to: string): string {
  const from = `      - workloads: "app == '${source}' && env == 'prod'"\n      - network: branch-offices\n`;
  const http = '    http: [{ methods: [GET, POST], path: /v1/orders/* }]\n';
  return `  - id: ${id}\n    from:\n${from}    to: "app == '${to}' && role == 'web'"\n    services: [https]\n${http}`;
}
