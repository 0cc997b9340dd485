/**
 * Edits of a policy directory for tests of incremental compiling: documents come, go, change a little, or are read again
 * without having changed. A document that an edit leaves alone stays the same object, which is what reuse goes by.
 */
import fc from 'fast-check';
import { NOW } from './generators/documents.ts';

export interface Edit {
  /** Which document, as a number to be taken modulo what is there. */
  at: number;
  kind: 'remove' | 'take' | 'relabel' | 'readdress' | 'rerule' | 'reread' | 'reorder' | 'time';
  /** For what has alternatives. */
  choice: number;
}

/** What an edit works on; `stock` holds documents that may come in, some under names that are taken. */
export interface Directory {
  documents: unknown[];
  stock: unknown[];
  nowMs: number;
}

interface Loose {
  kind: string;
  name: string;
  labels?: Record<string, string>;
  addresses?: string[];
  rules?: { id: string; action?: string; until?: string; ports?: string[] }[];
}

const INSTANTS = [
  '2026-01-01T00:00:00Z',
  '2026-11-21T23:59:59.999Z',
  NOW,
  '2026-11-22T00:00:00.001Z',
  '2027-02-01T00:00:00Z',
];
const APPS = ['crm', 'shop', 'billing'];
const ADDRESSES = [[], ['10.0.0.1'], ['10.0.0.2', '2001:db8::1'], ['10.0.0.127', '10.0.0.128'], ['11.0.0.0']];

export const arbitraryEdits: fc.Arbitrary<Edit[]> = fc.array(
  fc.record({
    at: fc.nat(1000),
    kind: fc.constantFrom(
      ...([
        'remove',
        'take',
        'take',
        'relabel',
        'relabel',
        'readdress',
        'rerule',
        'rerule',
        'reread',
        'reorder',
        'time',
      ] as const),
    ),
    choice: fc.nat(1000),
  }),
  { minLength: 4, maxLength: 10 },
);

const pick = <T>(list: T[], choice: number): T => list[choice % list.length] as T;

const replaced = (documents: unknown[], before: unknown, after: unknown): unknown[] =>
  documents.map((document) => (document === before ? after : document));

/** Adds the document, in the place of one of its kind and name if there is one. */
const taken = (documents: unknown[], incoming: Loose): unknown[] => {
  const same = (documents as Loose[]).find(({ kind, name }) => kind === incoming.kind && name === incoming.name);
  const copy = structuredClone(incoming);
  return same === undefined ? [...documents, copy] : replaced(documents, same, copy);
};

/** One rule, changed where its groups and objects do not show it. */
const rerule = (rule: { action?: string; until?: string; ports?: string[] }, choice: number): void => {
  if (choice % 3 === 0) rule.action = rule.action === 'deny' ? 'allow' : 'deny';
  else if (choice % 3 === 1) rule.until = pick(INSTANTS, choice);
  else rule.ports = ['tcp/443', 'tcp/22', 'udp/53'].slice(choice % 2);
};

export function edited(directory: Directory, edit: Edit): Directory {
  const { documents, stock } = directory;
  if (edit.kind === 'time') return { ...directory, nowMs: Date.parse(pick(INSTANTS, edit.choice)) };
  if (edit.kind === 'take' && stock.length > 0) {
    return { ...directory, documents: taken(documents, pick(stock, edit.choice) as Loose) };
  }
  if (edit.kind === 'reorder') {
    const cut = edit.choice % documents.length;
    return { ...directory, documents: [...documents.slice(cut), ...documents.slice(0, cut)] };
  }
  const all = documents as Loose[];
  if (all.length === 0) return directory;
  const wanted = { remove: '', take: '', reread: '', relabel: 'Workload', readdress: 'Workload', rerule: 'Policy' };
  const fitting = all.filter(({ kind }) => kind === wanted[edit.kind as keyof typeof wanted]);
  const target = pick(fitting.length > 0 ? fitting : all, edit.at);
  if (edit.kind === 'remove') return { ...directory, documents: documents.filter((it) => it !== target) };
  const changed = structuredClone(target);
  if (edit.kind === 'relabel' && changed.labels !== undefined) changed.labels.app = pick(APPS, edit.choice);
  if (edit.kind === 'readdress' && changed.addresses !== undefined) changed.addresses = pick(ADDRESSES, edit.choice);
  if (edit.kind === 'rerule' && changed.rules !== undefined) rerule(pick(changed.rules, edit.at), edit.choice);
  return { ...directory, documents: replaced(documents, target, changed) };
}
