/**
 * The naive oracle: says what a policy directory means for one flow by reading the documents again for each question.
 * It was written from the specification alone and shares no code with the core, so that a fault would have to be made
 * twice to stay hidden. It assumes valid documents and gives no revision.
 */
import type { Flow, Mode, Verdict } from '../../src/flow.ts';
import { type Address, anyContains, readAddress } from './addresses.ts';
import { type Request, readRequest } from './requests.ts';
import { type Labels, type Selector, selects } from './selectors.ts';

interface Workload {
  kind: 'Workload';
  name: string;
  labels: Labels;
  addresses: string[];
  point?: string;
  ports?: string[];
  mode?: Mode;
}

interface VirtualServer {
  kind: 'VirtualServer';
  name: string;
  labels: Labels;
  point: string;
  ports: string[];
  protocol?: 'http' | 'tcp';
  trustedProxies?: string[];
  mode?: Mode;
}

interface Point {
  kind: 'Point';
  name: string;
  management: string[];
}

interface Network {
  kind: 'Network';
  name: string;
  cidrs: string[];
  except?: string[];
  expires?: string;
}

interface Service {
  kind: 'Service';
  name: string;
  ports: string[];
}

interface Term {
  workloads?: Selector;
  within?: string[];
  network?: string;
  cidr?: string;
  any?: true;
}

interface Condition {
  methods?: string[];
  path?: string;
  hosts?: string[];
}

interface Rule {
  id: string;
  from: Term[];
  to: Selector;
  services?: string[];
  ports?: string[];
  http?: Condition[];
  action?: 'allow' | 'deny';
  until?: string;
}

interface Policy {
  kind: 'Policy';
  name: string;
  rules: Rule[];
}

type Document = Workload | VirtualServer | Point | Network | Service | Policy;
type Protected = VirtualServer | Workload;
export type Answer = Omit<Verdict, 'revision'>;

const ofKind = <K extends Document['kind']>(documents: Document[], kind: K): Extract<Document, { kind: K }>[] =>
  documents.filter((document): document is Extract<Document, { kind: K }> => document.kind === kind);

const ended = (instant: string | undefined, now: string): boolean =>
  instant !== undefined && Date.parse(now) >= Date.parse(instant);

const portIn = (ports: string[], port: string): boolean => {
  const [protocol, number] = port.split('/');
  return ports.some((listed) => {
    const [listedProtocol, range = ''] = listed.split('/');
    const [from, to = from] = range.split('-');
    return listedProtocol === protocol && Number(from) <= Number(number) && Number(number) <= Number(to);
  });
};

const isHttp = (object: Protected): boolean => object.kind === 'VirtualServer' && object.protocol !== 'tcp';

const addressOf = (text: string): Address => {
  const address = readAddress(text);
  if (address === null) throw new Error(`the oracle reads no address in '${text}'`);
  return address;
};

/** Who is asking: the peer, or whom trusted proxies name, read from the right. */
const sourceOf = (object: Protected, flow: Flow): Address => {
  const peer = addressOf(flow.from);
  if (object.kind !== 'VirtualServer' || !isHttp(object)) return peer;
  const trusted = object.trustedProxies ?? [];
  if (!anyContains(trusted, peer) || flow.forwardedFor === undefined) return peer;
  let source = peer;
  for (const entry of flow.forwardedFor.split(',').reverse()) {
    const address = readAddress(entry.replace(/^[ \t]+|[ \t]+$/g, ''));
    if (address === null) return source;
    source = address;
    if (!anyContains(trusted, address)) return source;
  }
  return source;
};

const termNames = (documents: Document[], now: string, term: Term, source: Address): boolean => {
  if (term.any === true) return true;
  if (term.cidr !== undefined) return anyContains([term.cidr], source);
  if (term.network !== undefined) {
    const network = ofKind(documents, 'Network').find(({ name }) => name === term.network);
    if (network === undefined || ended(network.expires, now)) return false;
    return anyContains(network.cidrs, source) && !anyContains(network.except ?? [], source);
  }
  const selector = term.workloads;
  if (selector === undefined) return false;
  if (term.within !== undefined && !anyContains(term.within, source)) return false;
  return ofKind(documents, 'Workload').some(
    ({ labels, addresses }) => selects(selector, labels) && anyContains(addresses, source),
  );
};

/** An object without ports (only a host may be) owns every TCP and UDP port. */
const objectLists = (object: Protected, port: string): boolean =>
  object.ports === undefined || portIn(object.ports, port);

const ruleNamesPort = (documents: Document[], rule: Rule, port: string): boolean => {
  if (rule.services === undefined && rule.ports === undefined) return true;
  const services = ofKind(documents, 'Service').filter(({ name }) => rule.services?.includes(name));
  return portIn([...(rule.ports ?? []), ...services.flatMap((service) => service.ports)], port);
};

const pathMatches = (wanted: string, path: string): boolean => {
  if (!wanted.endsWith('/*')) return path === wanted;
  const above = wanted.slice(0, -2);
  return path === above || path.startsWith(`${above}/`);
};

const conditionMatches = (condition: Condition, request: Request): boolean =>
  (condition.methods === undefined || condition.methods.includes(request.method)) &&
  (condition.path === undefined || pathMatches(condition.path, request.path)) &&
  (condition.hosts === undefined || (request.host !== null && condition.hosts.includes(request.host)));

const inFailsafe = (documents: Document[], object: Protected, source: Address, port: string): boolean => {
  if (object.kind !== 'Workload' || port !== 'tcp/22') return false;
  return ofKind(documents, 'Point').some(
    ({ name, management }) => name === object.point && anyContains(management, source),
  );
};

const firstOf = (rules: Rule[]): string | null =>
  rules.map(({ id }) => id).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))[0] ?? null;

const deny = (reason: Answer['reason'], rule: string | null = null): Answer => ({ verdict: 'deny', reason, rule });
const allow = (reason: Answer['reason'], rule: string | null = null): Answer => ({ verdict: 'allow', reason, rule });

/** Lines 5 to 9, for the rules whose source and port match. */
const judge = (object: Protected, rules: Rule[], flow: Flow): Answer => {
  const plainDenies = rules.filter(({ action, http }) => action === 'deny' && http === undefined);
  if (plainDenies.length > 0) return deny('denied-by-rule', firstOf(plainDenies));
  const asksRequest = isHttp(object) && rules.some(({ http }) => http !== undefined);
  const request = asksRequest ? readRequest(flow) : null;
  if (asksRequest && request === null) return deny('bad-request');
  const matching = rules.filter(
    ({ http }) => http === undefined || (request !== null && http.some((entry) => conditionMatches(entry, request))),
  );
  const denies = matching.filter(({ action }) => action === 'deny');
  if (denies.length > 0) return deny('denied-by-rule', firstOf(denies));
  if (matching.length > 0) return allow('allowed-by-rule', firstOf(matching));
  return deny('request-not-allowed');
};

/** `documents` are valid documents of the specification as plain values; `now` is an ISO instant. */
export const oracle = (documents: unknown[], now: string, flow: Flow): Answer => {
  const all = documents as Document[];
  const workloads = ofKind(all, 'Workload').filter(({ point }) => point !== undefined);
  const objects: Protected[] = [...ofKind(all, 'VirtualServer'), ...workloads];
  const object = objects.find(({ name }) => name === flow.to);
  if (object === undefined) return deny('unknown-object');
  if (object.mode === 'off') return allow('mode-off');
  const source = sourceOf(object, flow);
  if (inFailsafe(all, object, source, flow.port)) return allow('failsafe');
  const rules = ofKind(all, 'Policy').flatMap((policy) => policy.rules);
  const current = rules.filter((rule) => selects(rule.to, object.labels) && !ended(rule.until, now));
  const naming = current.filter((rule) => rule.from.some((term) => termNames(all, now, term, source)));
  if (naming.length === 0) return deny('unknown-source');
  const reaching = naming.filter((rule) => ruleNamesPort(all, rule, flow.port));
  if (reaching.length === 0 || !objectLists(object, flow.port)) return deny('port-not-allowed');
  return judge(object, reaching, flow);
};
