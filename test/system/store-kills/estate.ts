/**
 * The estate of these tests: two fronts that `crm` workloads may reach. What machines say is one numbered state after the
 * other, and any two of them differ in who may pass; so do two versions that follow one another. A policy put together of
 * two of them is none of them. Sources are addresses of loopback, as NGINX sees them.
 */
import { type Bundle, bundleOf } from '@edgeward/central-store';

export const points: readonly string[] = ['edge-1', 'edge-2'];
/** As NGINX names its server. */
export const bind = 'order-front';

/** What was said of machines, at once: a number that only grows, and how many lost their place for ever. */
export interface Inventory {
  number: number;
  revoked: number;
}

/** What decides at a point: members of the one group, and the version of the rules. */
export interface InForce {
  members: ReadonlySet<string>;
  version: number;
}

export interface Question {
  source: string;
  path: string;
}

/** In every state. */
const crm = '127.0.1.1';
/** In no document, and one that no rule names. */
export const strangers: readonly string[] = ['127.0.9.9', '127.0.8.1'];
/** Members until they are revoked, in this order; none comes back. */
export const revocable: readonly string[] = Array.from({ length: 8 }, (_, at) => `127.0.5.${at + 1}`);

const BITS = [0, 1, 2, 3];
/** Enough that no change, and no number of changes that a store missed, takes more than half of them away. */
const steady = Array.from({ length: 24 }, (_, at) => `127.0.2.${at + 1}`);

/** One of each pair is in; from one number to the next one pair changes sides. */
function sideOf(number: number, bit: number): string {
  const gray = number ^ (number >> 1);
  return `127.0.${(gray >> bit) % 2 === 0 ? 3 : 4}.${bit + 1}`;
}

/** The number itself, as somebody who may pass. */
function counterOf(number: number): string {
  return `127.100.${number >> 8}.${number & 255}`;
}

export function numberIn(members: Iterable<string>): number {
  for (const address of members) {
    const [, high, low] = /^127\.100\.(\d+)\.(\d+)$/.exec(address) ?? [];
    if (high !== undefined) return Number(high) * 256 + Number(low);
  }
  return 0;
}

function workloadsOf({ number, revoked }: Inventory): Record<string, string> {
  const named = (name: string, addresses: readonly string[]): [string, string][] =>
    addresses.map((address, at) => [`${name}-${at}`, address]);
  return Object.fromEntries([
    ['crm', crm],
    ['counter', counterOf(number)],
    ...named('steady', steady),
    ...BITS.map((bit): [string, string] => [`bit-${sideOf(number, bit)}`, sideOf(number, bit)]),
    ...named('revocable', revocable).slice(revoked),
  ]);
}

export function membersOf(inventory: Inventory): ReadonlySet<string> {
  return new Set(Object.values(workloadsOf(inventory)));
}

/** What machines write: one document a line. */
export function inventoryText(inventory: Inventory): string {
  const crms = Object.entries(workloadsOf(inventory)).map(([name, address]) => workload(name, 'crm', address));
  return [...crms, workload('outsider', 'hr', strangers[1] ?? '')].join('');
}

function workload(name: string, app: string, address: string): string {
  return `${JSON.stringify({ kind: 'Workload', name, labels: { app }, addresses: [address] })}\n`;
}

/** What people sign. An odd version allows other paths than an even one. */
export function bundleOfVersion(version: number): Bundle {
  const fronts = points.map((point) => ({
    ...{ kind: 'VirtualServer', name: `front-${point}`, labels: { app: 'shop' }, point, bind },
    ...{ ports: ['tcp/443'], mode: 'enforce' },
  }));
  const rule = {
    id: 'orders',
    from: [{ workloads: "app == 'crm'", within: ['127.0.0.0/8'], max: 200 }],
    to: "app == 'shop'",
    ports: ['tcp/443'],
    http: [{ path: ALWAYS }, { path: pathOf(version) }],
    why: `CHG-${version}`,
  };
  const documents = [...fronts, { kind: 'Policy', name: 'shop', rules: [rule] }];
  return bundleOf(documents.map((value) => ({ file: 'policy.yaml', value, locate: () => ({ line: 1, column: 1 }) })));
}

const ALWAYS = '/always';
const pathOf = (version: number): string => (version % 2 === 1 ? '/odd' : '/even');

/** What is asked all the time. */
export const questions: readonly Question[] = [
  { source: crm, path: ALWAYS },
  { source: crm, path: '/odd' },
  { source: crm, path: '/even' },
  ...BITS.flatMap((bit) => [3, 4].map((side) => ({ source: `127.0.${side}.${bit + 1}`, path: ALWAYS }))),
  ...revocable.map((source) => ({ source, path: ALWAYS })),
  ...strangers.map((source) => ({ source, path: ALWAYS })),
];

export function allows({ members, version }: InForce, { source, path }: Question): boolean {
  return members.has(source) && (path === ALWAYS || path === pathOf(version));
}

/** The answers to all questions, as one text. */
export function patternOf(inForce: InForce): string {
  return questions.map((question) => (allows(inForce, question) ? '1' : '0')).join('');
}
