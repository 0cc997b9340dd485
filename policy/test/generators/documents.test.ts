/** The generators promise valid directories and flows that reach every answer; both promises are kept here. */
import fc from 'fast-check';
import t from 'tap';
import { oracle } from '../oracle/oracle.ts';
import { type Selector, selects } from '../oracle/selectors.ts';
import { arbitraryDirectory, arbitraryFlow, NOW } from './documents.ts';

interface Loose {
  kind: string;
  name: string;
  labels: Record<string, string>;
  point?: string;
  protocol?: string;
  ports?: string[];
  rules?: { id: string; to: Selector; http?: unknown }[];
}

const isUnique = (names: string[]): boolean => new Set(names).size === names.length;

t.test('every directory keeps the rules that make one valid', async () => {
  fc.assert(
    fc.property(arbitraryDirectory(), (documents) => {
      const all = documents as Loose[];
      const objects = all.filter(({ kind, point }) => kind === 'VirtualServer' || point !== undefined);
      const isHttp = ({ kind, protocol }: Loose): boolean => kind === 'VirtualServer' && protocol !== 'tcp';
      const rules = all.flatMap((document) => document.rules ?? []);
      return (
        isUnique(all.map(({ name }) => name)) &&
        isUnique(rules.map(({ id }) => id)) &&
        objects.filter(isHttp).every(({ ports }) => ports?.every((port) => port.startsWith('tcp/'))) &&
        rules.every(({ to, http }) => {
          const reached = objects.filter(({ labels }) => selects(to, labels));
          return reached.length > 0 && (http === undefined || reached.every(isHttp));
        })
      );
    }),
    { numRuns: 1000 },
  );
});

t.test('the flows reach every answer that a policy can give', async (t) => {
  const counts: Record<string, number> = {};
  const asked = arbitraryDirectory().chain((documents) => fc.tuple(fc.constant(documents), arbitraryFlow(documents)));
  // A fixed seed: the counts are a claim about the generators, not a chance.
  for (const [documents, flow] of fc.sample(asked, { seed: 4411, numRuns: 2000 })) {
    const { reason } = oracle(documents, NOW, flow);
    counts[reason] = (counts[reason] ?? 0) + 1;
  }
  t.comment(JSON.stringify(counts));
  for (const reason of [
    'allowed-by-rule',
    'bad-request',
    'denied-by-rule',
    'failsafe',
    'mode-off',
    'port-not-allowed',
    'request-not-allowed',
    'unknown-object',
    'unknown-source',
  ]) {
    t.ok((counts[reason] ?? 0) >= 10, `${reason} came up`);
  }
});
