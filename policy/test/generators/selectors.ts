/** Labels and selectors over few keys and values, in both syntaxes. Every selector is valid. */
import fc from 'fast-check';
import type { KubernetesSelector, Labels, Selector } from '../oracle/selectors.ts';

const VALUES: Record<string, string[]> = {
  app: ['crm', 'shop', 'billing'],
  env: ['prod', 'test'],
  role: ['api', 'web'],
  loc: ['eu', 'us'],
  'example.com/tier': ['gold', ''],
};

/** `loc` is always there, the others often are not: `!=` and `not in` turn on that. */
export const arbitraryLabels: fc.Arbitrary<Labels> = fc
  .record(
    {
      app: fc.constantFrom('crm', 'shop', 'billing'),
      env: fc.constantFrom('prod', 'test'),
      role: fc.constantFrom('api', 'web'),
      loc: fc.constantFrom('eu', 'us'),
      'example.com/tier': fc.constantFrom('gold', ''),
    },
    { requiredKeys: ['loc'] },
  )
  .map((labels) => ({ ...labels }));

const arbitraryKey = fc.constantFrom(...Object.keys(VALUES));
const arbitraryPair = arbitraryKey.chain((key) =>
  fc.tuple(fc.constant(key), fc.constantFrom(...(VALUES[key] ?? ['x']))),
);
const arbitrarySet = arbitraryKey.chain((key) =>
  fc.tuple(fc.constant(key), fc.array(fc.constantFrom(...(VALUES[key] ?? []), 'none'), { minLength: 1, maxLength: 3 })),
);

const arbitraryComparison = fc.oneof(
  fc
    .tuple(arbitraryPair, fc.constantFrom('==', '!=', ' == ', ' != '))
    .map(([[key, value], op]) => `${key}${op}'${value}'`),
  fc
    .tuple(arbitrarySet, fc.constantFrom('in', 'not in'))
    .map(([[key, values], op]) => `${key} ${op} {${values.map((value) => `'${value}'`).join(', ')}}`),
  arbitraryKey.map((key) => `has(${key})`),
  arbitraryKey.map((key) => `!has(${key})`),
  fc.constant('all()'),
);

const { expression } = fc.letrec<{ expression: string }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    arbitraryComparison,
    fc
      .tuple(tie('expression'), fc.constantFrom(' && ', ' || ', '&&', '||'), tie('expression'))
      .map((parts) => parts.join('')),
    tie('expression').map((inside) => `(${inside})`),
    tie('expression').map((inside) => `!( ${inside} )`),
  ),
}));

const arbitraryExpression = fc.oneof(
  arbitrarySet.chain(([key, values]) => fc.constantFrom('In', 'NotIn').map((operator) => ({ key, operator, values }))),
  arbitraryKey.chain((key) => fc.constantFrom('Exists', 'DoesNotExist').map((operator) => ({ key, operator }))),
);

const kubernetes: fc.Arbitrary<KubernetesSelector> = fc.oneof(
  arbitraryPair.map(([key, value]) => ({ matchLabels: { [key]: value } })),
  fc.array(arbitraryExpression, { minLength: 1, maxLength: 2 }).map((matchExpressions) => ({ matchExpressions })),
  fc
    .tuple(arbitraryPair, arbitraryExpression)
    .map(([[key, value], one]) => ({ matchLabels: { [key]: value }, matchExpressions: [one] })),
);

export const arbitrarySelector: fc.Arbitrary<Selector> = fc.oneof(
  { weight: 3, arbitrary: expression },
  { weight: 1, arbitrary: kubernetes },
);

/** The narrower selector that also asks for one label. */
export const narrowed = (selector: Selector, key: string, value: string): Selector =>
  typeof selector === 'string'
    ? `(${selector}) && ${key} == '${value}'`
    : { ...selector, matchLabels: { ...selector.matchLabels, [key]: value } };
