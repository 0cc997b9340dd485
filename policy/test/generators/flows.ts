/**
 * Flows that ask where a directory's answers change: beside the edges of its addresses and ports, and with requests
 * that are nearly, or exactly, what its rules name. Nothing here is random text: a trick is taken from a list.
 */
import fc from 'fast-check';
import type { Flow } from '../../src/flow.ts';
import { arbitraryPeer } from './addresses.ts';

const stringsUnder = (value: unknown, key: string): string[] => {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    name === key ? [inner].flat().filter((one) => typeof one === 'string') : stringsUnder(inner, key),
  );
};

const portEdges = (spec: string): string[] => {
  const [protocol = '', range = ''] = spec.split('/');
  const [from = 0, to = from] = range.split('-').map(Number);
  const numbers = [from - 1, from, from, from, to, to, to + 1].filter((port) => port >= 1 && port <= 65535);
  return [...numbers.map((port) => `${protocol}/${port}`), `${protocol === 'tcp' ? 'udp' : 'tcp'}/${from}`];
};

/** At the edges of what this object lists more often than of what anything else in the documents does. */
const arbitraryPort = (documents: unknown[], object: Target): fc.Arbitrary<string> => {
  const others = stringsUnder(documents, 'ports').flatMap(portEdges);
  const own = (object.ports ?? ['tcp/22', 'udp/53']).flatMap(portEdges);
  return fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...own) },
    { weight: 3, arbitrary: fc.constant('tcp/443') },
    { weight: 2, arbitrary: fc.constantFrom('tcp/22', 'udp/22', ...others) },
  );
};

interface Target {
  name: string;
  kind?: string;
  point?: string;
  ports?: string[];
}

const isProtected = ({ kind, point }: Target): boolean => kind === 'VirtualServer' || point !== undefined;

const SEGMENTS = [
  'a',
  'b',
  'A',
  'ab',
  '',
  '.',
  '..',
  '...',
  '%2e',
  '%2E%2e',
  '.%2e',
  '..;',
  '.;x',
  '%2e;',
  '..%3b',
  'a;b',
  '%61',
  '%2561',
  '%25',
  '100%25z',
  '%252',
  '%25%36%31',
  '%2f',
  '%2F',
  '%5c',
  'a\\b',
  '%00',
  '%1f',
  '%7F',
  '%20',
  'x%20y',
  'x y',
  '%',
  '%2',
  '%zz',
  '%e2%82',
  '%e2%82%ac',
  '%c0%af',
  '%ed%a0%80',
  '%f4%8f%bf%bf',
  '%f4%90%80%80',
  '%ff',
  '%c2%80',
  '%EF%BB%BF',
  'caf\u00e9',
  'caf%c3%a9',
  'cafe%cc%81',
  '\u{1F600}',
  '%23',
  '#',
  '%3f',
  '*',
  'a.',
  '\u0001',
  '\u007f',
];

const QUERIES = ['', '', '', '?', '?a=b', '?a=%zz%00/../%2f', '?x#y', '?a?b', '?u=http://evil.example/', '#f', '#f?q'];
const AUTHORITIES = [
  'shop.example',
  'SHOP.example:443',
  'api.shop.example.',
  'evil.example',
  'u@shop.example',
  '[2001:db8::1]:80',
];

const arbitraryPath = (documents: unknown[]): fc.Arbitrary<string> => {
  const known = ['/', ...stringsUnder(documents, 'path').map((path) => path.replace(/\/\*$/, ''))];
  // Plain segments come often: one bad segment hides whatever else a path would show.
  const segment = fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom('a', 'b', '', '.', '..', '%2e%2e') },
    { weight: 1, arbitrary: fc.constantFrom(...SEGMENTS) },
  );
  const path = fc
    .tuple(fc.constantFrom(...known), fc.array(segment, { maxLength: 4 }), fc.constantFrom(...QUERIES))
    .map(([start, segments, query]) => `${[start, ...segments].join('/')}${query}`);
  const absolute = fc
    .tuple(fc.constantFrom('http://', 'HTTPS://'), fc.constantFrom(...AUTHORITIES), path)
    .map(([scheme, authority, rest]) => `${scheme}${authority}${rest.startsWith('/') ? rest : `/${rest}`}`);
  return fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...known.map((one) => one || '/')) },
    { weight: 8, arbitrary: path },
    { weight: 2, arbitrary: absolute },
    {
      weight: 1,
      arbitrary: fc.constantFrom('', '*', 'a/b', '?q', 'http://shop.example', 'http://shop.example?q', '/..', '//../a'),
    },
  );
};

const HOSTS = [
  'shop.example',
  'SHOP.Example',
  'shop.example.',
  'shop.example:443',
  'shop.example.:80',
  'api.shop.example',
  'evil.example',
];
const arbitraryHost = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...HOSTS) },
  { weight: 1, arbitrary: fc.array(fc.constantFrom(...HOSTS), { minLength: 1, maxLength: 3 }) },
);

const arbitraryForwarded = (documents: unknown[]): fc.Arbitrary<string> => {
  const peer = arbitraryPeer(documents);
  const entry = fc.oneof(
    { weight: 6, arbitrary: peer },
    { weight: 1, arbitrary: fc.constantFrom('unknown', '', '10.0.0', '10.0.0.256', '_hidden', '::g') },
  );
  return fc
    .tuple(fc.array(entry, { minLength: 1, maxLength: 4 }), fc.constantFrom(', ', ',', ' ,\t'))
    .map(([entries, between]) => entries.join(between));
};

const flowTo = (documents: unknown[], object: Target): fc.Arbitrary<Flow> =>
  fc.record(
    {
      from: arbitraryPeer(documents),
      to: fc.constant(object.name),
      port: arbitraryPort(documents, object),
      method: fc.constantFrom('GET', 'GET', 'GET', 'POST', 'POST', 'DELETE', 'HEAD', 'get', 'CONNECT'),
      path: arbitraryPath(documents),
      host: arbitraryHost,
      forwardedFor: arbitraryForwarded(documents),
    },
    { requiredKeys: ['from', 'to', 'port'] },
  );

/** A flow at the edge of what the failsafe of a host lets through. */
const failsafeFlow = (object: Target, point: Target): fc.Arbitrary<Flow> =>
  fc.record({
    from: arbitraryPeer([point]),
    to: fc.constant(object.name),
    port: fc.constantFrom('tcp/22', 'tcp/22', 'tcp/22', 'udp/22', 'tcp/23'),
  });

/** A flow to one of the objects of the documents, or now and then to what is none. */
export const arbitraryFlow = (documents: unknown[]): fc.Arbitrary<Flow> => {
  const all = documents as Target[];
  const objects = all.filter(isProtected);
  const strangers = [{ name: 'workload-1' }, { name: 'nowhere' }, { name: 'constructor' }];
  const failsafes = objects.flatMap((object) =>
    all
      .filter(({ kind, name }) => kind === 'Point' && name === object.point)
      .map((point) => failsafeFlow(object, point)),
  );
  const flow = fc.oneof(
    ...objects.map((object) => ({ weight: 20, arbitrary: flowTo(documents, object) })),
    ...failsafes.map((arbitrary) => ({ weight: 3, arbitrary })),
    { weight: 2, arbitrary: fc.constantFrom(...strangers).chain((stranger) => flowTo(documents, stranger)) },
  );
  return flow.map((one) => structuredClone(one));
};
