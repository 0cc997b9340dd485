/**
 * Whole policy directories for property tests, valid by construction: unique names and ids, `to` selects something,
 * HTTP conditions reach `http` objects alone, no `udp` on those. Time stands at `NOW`; what expires does so around it.
 */
import fc from 'fast-check';
import { type Labels, type Selector, selects } from '../oracle/selectors.ts';
import { arbitraryAddress, arbitraryCidr } from './addresses.ts';
import { arbitraryLabels, arbitrarySelector, narrowed } from './selectors.ts';

export { arbitraryFlow } from './flows.ts';

/** The `now` to compile the directories at. */
export const NOW = '2026-11-22T00:00:00Z';

/** What kind of object it is stands in this label, so that a selector can be narrowed to one kind. */
const KIND = 'object-kind';

interface ProtectedObject {
  name: string;
  labels: Labels;
}

interface Rule {
  to: Selector;
  http?: unknown;
}

const IDS = ['a', 'B', 'a-1', 'a.b', 'a_b', 'A', 'Z', 'z', 'a10', 'a2', '0', '9z', 'aB', 'ab', 'constructor'];
const PORTS = ['tcp/443', 'tcp/80', 'tcp/22', 'tcp/8000-8010', 'tcp/8005-8020', 'tcp/8011', 'tcp/1-65535'];
const UDP_PORTS = ['udp/53', 'udp/1000-2000', 'udp/443'];

const arbitraryPorts = (...ports: string[]): fc.Arbitrary<string[]> =>
  fc.array(fc.constantFrom(...ports), { minLength: 1, maxLength: 3 });

/** An object mostly lists the port that flows mostly ask for, else every answer would be about ports. */
const arbitraryListed = (...ports: string[]): fc.Arbitrary<string[]> =>
  fc.oneof(
    { weight: 2, arbitrary: arbitraryPorts(...ports).map((some) => ['tcp/443', ...some]) },
    { weight: 1, arbitrary: arbitraryPorts(...ports) },
  );

/** A key that is mostly left out; `present` then drops it. */
const rarely = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

const present = <T extends object>(document: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(document).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };

const arbitraryInstant = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('2026-11-22T00:00:00.001Z', '2027-01-31T00:00:00Z') },
  { weight: 2, arbitrary: fc.constantFrom('2026-01-01T00:00:00Z', '2026-11-21T23:59:59.999Z', NOW) },
);

const arbitraryMode = fc.constantFrom(...Array<string>(6).fill('enforce'), ...Array<string>(3).fill('observe'), 'off');
const arbitraryCidrs = fc.array(arbitraryCidr, { minLength: 1, maxLength: 3 });

const arbitraryWorkload = fc.record({
  kind: fc.constant('Workload'),
  labels: arbitraryLabels,
  addresses: fc.array(arbitraryAddress, { minLength: 1, maxLength: 3 }),
});

const arbitraryHost = fc
  .tuple(
    arbitraryWorkload,
    fc.record({ ports: arbitraryPorts(...PORTS, ...UDP_PORTS), mode: arbitraryMode }, { requiredKeys: [] }),
  )
  .map(([workload, own]) => ({ ...workload, labels: { ...workload.labels, [KIND]: 'host' }, ...own }));

const arbitraryHttpServer = fc
  .record(
    {
      kind: fc.constant('VirtualServer'),
      labels: arbitraryLabels,
      ports: arbitraryListed(...PORTS),
      protocol: fc.constant('http'),
      trustedProxies: arbitraryCidrs,
      mode: arbitraryMode,
    },
    { requiredKeys: ['kind', 'labels', 'ports'] },
  )
  .map((server) => ({ ...server, labels: { ...server.labels, [KIND]: 'http' } }));

const arbitraryTcpServer = fc
  .record(
    {
      kind: fc.constant('VirtualServer'),
      labels: arbitraryLabels,
      ports: arbitraryListed(...PORTS, 'udp/53'),
      protocol: fc.constant('tcp'),
      mode: arbitraryMode,
    },
    { requiredKeys: ['kind', 'labels', 'ports', 'protocol'] },
  )
  .map((server) => ({ ...server, labels: { ...server.labels, [KIND]: 'tcp' } }));

const arbitraryNetwork = fc
  .record({
    kind: fc.constant('Network'),
    cidrs: arbitraryCidrs,
    except: rarely(fc.array(fc.oneof(arbitraryAddress, arbitraryCidr), { minLength: 1, maxLength: 3 })),
    owner: rarely(fc.constant('netops')),
    expires: rarely(arbitraryInstant),
  })
  .map(present);

const arbitraryService = fc.record({ kind: fc.constant('Service'), ports: arbitraryPorts(...PORTS, ...UDP_PORTS) });

const arbitraryCondition = fc
  .record(
    {
      methods: fc.array(fc.constantFrom('GET', 'POST', 'DELETE'), { minLength: 1, maxLength: 2 }),
      path: fc.constantFrom('/', '/*', '/a', '/a/', '/a/*', '/a/b', '/a/b/*', '/A', '/caf\u00e9/*', '/x y', '/...'),
      hosts: fc.array(fc.constantFrom('shop.example', 'api.shop.example'), { minLength: 1, maxLength: 2 }),
    },
    { requiredKeys: [] },
  )
  .filter((condition) => Object.keys(condition).length > 0);

const arbitraryTerm = (networks: string[]): fc.Arbitrary<unknown> => {
  const workloads = fc.record(
    { workloads: arbitrarySelector, within: arbitraryCidrs, max: fc.constant(1000) },
    { requiredKeys: ['workloads'] },
  );
  const network =
    networks.length === 0 ? [] : [{ weight: 3, arbitrary: fc.record({ network: fc.constantFrom(...networks) }) }];
  return fc.oneof(
    { weight: 4, arbitrary: workloads },
    { weight: 3, arbitrary: fc.record({ cidr: arbitraryCidr }) },
    { weight: 1, arbitrary: fc.constant({ any: true }) },
    { weight: 2, arbitrary: fc.record({ cidr: fc.constantFrom('10.0.0.0/8', '0.0.0.0/0', '2001:db8::/32', '::/0') }) },
    ...network,
  );
};

const arbitraryTo = fc.oneof(
  arbitrarySelector,
  fc.constantFrom('all()', `${KIND} == 'http'`, `${KIND} != 'tcp'`, `has(${KIND})`),
);

const arbitraryRule = (networks: string[], services: string[]): fc.Arbitrary<Rule> =>
  fc
    .record({
      from: fc.array(arbitraryTerm(networks), { minLength: 1, maxLength: 3, size: 'max' }),
      to: arbitraryTo,
      services: services.length === 0 ? fc.constant(undefined) : rarely(fc.subarray(services, { minLength: 1 })),
      ports: rarely(arbitraryListed(...PORTS, ...UDP_PORTS)),
      http: fc.oneof(fc.constant(undefined), fc.array(arbitraryCondition, { minLength: 1, maxLength: 2 })),
      action: rarely(fc.constantFrom('allow', 'deny', 'deny')),
      until: rarely(arbitraryInstant),
      why: rarely(fc.constant('CHG-4411')),
    })
    .map(present);

/** The rule, changed as little as makes it valid for these objects. */
const reaching = (objects: ProtectedObject[], rule: Rule): Rule => {
  const finds = (to: Selector): boolean => objects.some(({ labels }) => selects(to, labels));
  if (rule.http === undefined) return finds(rule.to) ? rule : { ...rule, to: 'all()' };
  const narrow = narrowed(rule.to, KIND, 'http');
  if (finds(narrow)) return { ...rule, to: narrow };
  if (finds(`${KIND} == 'http'`)) return { ...rule, to: `${KIND} == 'http'` };
  const { http: _dropped, ...rest } = rule;
  return { ...rest, to: 'all()' };
};

const named = <T extends object>(prefix: string, documents: T[]): (T & { name: string })[] =>
  documents.map((document, index) => ({ ...document, name: `${prefix}-${index + 1}` }));

const arbitraryParts = fc.record({
  workloads: fc.array(arbitraryWorkload, { maxLength: 6, size: 'max' }).map((some) => named('workload', some)),
  networks: fc.array(arbitraryNetwork, { maxLength: 3 }).map((some) => named('network', some)),
  services: fc.array(arbitraryService, { maxLength: 2 }).map((some) => named('service', some)),
  servers: fc
    .array(fc.oneof({ weight: 3, arbitrary: arbitraryHttpServer }, { weight: 1, arbitrary: arbitraryTcpServer }), {
      minLength: 1,
      maxLength: 3,
    })
    .map((some) => named('front', some).map((server) => ({ ...server, bind: server.name, point: 'edge-1' }))),
  hosts: fc
    .array(arbitraryHost, { maxLength: 2, size: 'max' })
    .map((some) => named('host', some).map((host) => ({ ...host, point: `point-of-${host.name}` }))),
  management: fc.array(arbitraryCidrs, { maxLength: 2, size: 'max' }),
  ids: fc.uniqueArray(fc.constantFrom(...IDS), { maxLength: 7, size: 'max' }),
  policies: fc.integer({ min: 1, max: 2 }),
});

const policiesOf = (rules: unknown[], count: number): unknown[] =>
  Array.from({ length: count }, (_, index) => ({
    kind: 'Policy',
    name: `policy-${index + 1}`,
    rules: rules.filter((_rule, at) => at % count === index),
  })).filter((policy) => policy.rules.length > 0);

const arbitraryDocuments = arbitraryParts.chain(
  ({ workloads, networks, services, servers, hosts, management, ids, policies }) => {
    const objects = [...servers, ...hosts];
    const names = (documents: { name: string }[]): string[] => documents.map(({ name }) => name);
    const points = management.map((cidrs, index) => ({
      kind: 'Point',
      name: `point-of-host-${index + 1}`,
      management: cidrs,
    }));
    const rule = arbitraryRule(names(networks), names(services)).map((one) => reaching(objects, one));
    return fc.tuple(...ids.map((id) => rule.map((one) => ({ id, ...one })))).chain((rules) => {
      const all = [...workloads, ...networks, ...services, ...objects, ...points, ...policiesOf(rules, policies)];
      return fc.shuffledSubarray<unknown>(all, { minLength: all.length, maxLength: all.length });
    });
  },
);

/** Copied, because fast-check makes some records without a prototype, which no reader of documents ever does. */
export const arbitraryDirectory = (): fc.Arbitrary<unknown[]> => arbitraryDocuments.map((all) => structuredClone(all));
