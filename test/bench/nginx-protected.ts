/**
 * Edgeward's own servers among those that are compared: each asks with the text that users include, whole or, where two ways of
 * asking stand in one NGINX, with the one directive exchanged in which they differ. All objects have the same list.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { emptyFiles } from '../../nginx-njs/driver/hybrid/snapshot-files.ts';
import { type Cidr, cidrText } from './nginx-cidrs.ts';

export interface Protected {
  name: string;
  words: string;
  object: ObjectName;
  hook: 'live' | 'hybrid' | 'cached' | 'pending';
  /** Each denial is a line of the log; else they are a flood, of which all but the first are told by their number. */
  lines?: true;
}

type ObjectName = 'by-address' | 'by-port' | 'by-request';

/** What a rule asks for beside the source. */
const RULES: Record<ObjectName, object> = {
  'by-address': {},
  'by-port': { ports: ['tcp/443'], http: [{ methods: ['GET', 'POST'] }] },
  'by-request': { http: [{ methods: ['GET', 'POST'], path: '/v1/orders/*', hosts: ['shop.example'] }] },
};

export const PROTECTED: readonly Protected[] = [
  { name: 'live', words: 'Edgeward live', object: 'by-address', hook: 'live' },
  { name: 'live-lines', words: 'live, each denial a line of the log', object: 'by-address', hook: 'live', lines: true },
  { name: 'live-ports', words: 'live, the rule names a port and methods', object: 'by-port', hook: 'live' },
  { name: 'live-request', words: 'live, the rule names methods, path and host', object: 'by-request', hook: 'live' },
  { name: 'hybrid', words: 'Edgeward hybrid', object: 'by-address', hook: 'hybrid' },
  { name: 'hybrid-ports', words: 'hybrid, the rule names a port and methods', object: 'by-port', hook: 'hybrid' },
  { name: 'hybrid-cached', words: 'hybrid, with the cached check', object: 'by-address', hook: 'cached' },
  { name: 'hybrid-pending', words: 'hybrid, changed since its snapshot', object: 'by-address', hook: 'pending' },
];

const confFolder = fileURLToPath(new URL('../../nginx-njs/conf', import.meta.url));

/** Directives of its server. */
export async function protectedText({ object, hook, lines }: Protected): Promise<string> {
  const text = await readFile(`${confFolder}/${hook === 'live' ? 'protect.conf' : 'protect-hybrid.conf'}`, 'utf8');
  const check = text.replace(/^include .*check\.conf;$/m, checkText(hook === 'cached'));
  // No flag stands there: the object has changed since the snapshot was taken.
  const asked = hook === 'pending' ? check.replace('$edgeward_clean/', '$edgeward_clean/changed/') : check;
  // One window for the whole run: slices are too short to be a flood in the ten seconds that are usual.
  const folding = lines === true ? 'set $edgeward_fold_after 0;' : 'set $edgeward_fold_seconds 3600;';
  return `set $edgeward_server ${object};\nset $edgeward_port 443;\n${folding}\n${asked}`;
}

function checkText(isCached: boolean): string {
  const { files } = emptyFiles({ generation: 'g0', folder: '/tmp', flags: '/tmp', isCached });
  return files.find(({ name }) => name.endsWith('/check.conf'))?.text ?? '';
}

export function documentsOf(cidrs: readonly Cidr[], objects = Object.keys(RULES)): unknown[] {
  return [
    { kind: 'Network', name: 'listed', cidrs: cidrs.map(cidrText) },
    ...objects.map((name) => ({
      kind: 'VirtualServer',
      name,
      labels: { app: name },
      point: 'edge-1',
      bind: name,
      ports: ['tcp/443'],
      mode: 'enforce',
    })),
    {
      kind: 'Policy',
      name: 'bench',
      rules: objects.map((name) => ({
        id: name,
        from: [{ network: 'listed' }],
        to: `app == '${name}'`,
        ...RULES[name as ObjectName],
      })),
    },
  ];
}
