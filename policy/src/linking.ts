import type { PolicyCode } from './codes.ts';
import { readDocument } from './documents.ts';
import { findingAt, reporter } from './field-reader.ts';
import type { Finding, Path, SourceDocument } from './finding.ts';
import type {
  Document,
  Model,
  Network,
  Placed,
  PointDocument,
  Policy,
  Rule,
  Service,
  VirtualServer,
  Workload,
} from './model.ts';
import { compareText } from './text-order.ts';

/**
 * All documents of a directory as one model: each read, names unique, references resolved. What depends on labels,
 * addresses and time comes afterwards, in `resolve` and `lint`.
 */

/** Remembers documents that were read without a finding, so that an edit costs only what it touches. */
export interface DocumentMemo {
  get(value: object): Document | undefined;
  set(value: object, document: Document): void;
}

export function linkModel(documents: SourceDocument[], findings: Finding[], memo?: DocumentMemo): Model {
  const read = readByKind(documents, findings, memo);
  const model: Model = {
    workloads: ofKind<Workload>(read, 'Workload'),
    points: ofKind<PointDocument>(read, 'Point'),
    networks: ofKind<Network>(read, 'Network'),
    services: ofKind<Service>(read, 'Service'),
    virtualServers: ofKind<VirtualServer>(read, 'VirtualServer'),
    policies: ofKind<Policy>(read, 'Policy'),
  };
  checkNames(model, findings);
  checkBinds(model, findings);
  checkRules(model, findings);
  return model;
}

type ByKind = Record<string, Placed<Document>[]>;

function readByKind(documents: SourceDocument[], findings: Finding[], memo: DocumentMemo | undefined): ByKind {
  const read: ByKind = Object.create(null);
  documents.forEach((document) => {
    const it = readPlaced(document, findings, memo);
    if (it === null) return;
    const known = read[it.value.kind];
    if (known === undefined) read[it.value.kind] = [it];
    else known.push(it);
  });
  return read;
}

function readPlaced(
  document: SourceDocument,
  findings: Finding[],
  memo: DocumentMemo | undefined,
): Placed<Document> | null {
  const raw = document.value;
  const memorable = memo !== undefined && typeof raw === 'object' && raw !== null;
  const known = memorable ? memo.get(raw) : undefined;
  if (known !== undefined) return { value: known, document };
  const before = findings.length;
  const value = readDocument(raw, reporter(document, findings));
  if (value === null) return null;
  if (memorable && findings.length === before) memo.set(raw, value);
  return { value, document };
}

function ofKind<T extends Document>(read: ByKind, kind: T['kind']): Placed<T>[] {
  const out = (read[kind] ?? []) as Placed<T>[];
  // Workloads stay in the order of their files: nothing depends on it, and sorting 100,000 at every edit would tell.
  if (kind === 'Workload') return out;
  return out.sort((a, b) => compareText(a.value.name, b.value.name));
}

function checkNames(model: Model, findings: Finding[]): void {
  const kinds: Placed<Document>[][] = [
    model.workloads,
    model.points,
    model.networks,
    model.services,
    model.virtualServers,
    model.policies,
  ];
  kinds.forEach((placed) => {
    const known: Record<string, Placed<Document>> = Object.create(null);
    for (let i = 0; i < placed.length; i += 1) {
      const it = placed[i] as Placed<Document>;
      const before = known[it.value.name];
      known[it.value.name] = it;
      if (it.value.name !== '' && before !== undefined) findings.push(duplicateName(it, before));
    }
  });
  const servers: Record<string, Placed<Document>> = Object.create(null);
  model.virtualServers.forEach((server) => {
    servers[server.value.name] = server;
  });
  model.workloads.forEach((workload) => {
    const server = workload.value.point === null ? undefined : servers[workload.value.name];
    if (server !== undefined)
      findings.push(
        duplicateOf(
          workload,
          server,
          'EDW_ERR_DUPLICATE_NAME',
          ['name'],
          `the protected object '${workload.value.name}'`,
        ),
      );
  });
}

/** A workload that is protected has its name for a bind: at one point it must not stand in for a server's. */
function checkBinds(model: Model, findings: Finding[]): void {
  const taken: Record<string, Placed<Document>> = Object.create(null);
  const take = (it: Placed<VirtualServer | Workload>, bind: string, key: 'bind' | 'name'): void => {
    if (bind === '') return;
    const place = `${it.value.point} ${bind}`;
    const other = taken[place];
    if (other === undefined) taken[place] = it;
    else if (other.value.name !== it.value.name)
      findings.push(
        duplicateOf(it, other, 'EDW_ERR_DUPLICATE_BIND', [key], `'${bind}' at the point '${it.value.point}'`),
      );
  };
  model.virtualServers.forEach((server) => {
    take(server, server.value.bind, 'bind');
  });
  model.workloads.forEach((workload) => {
    if (workload.value.point !== null) take(workload, workload.value.name, 'name');
  });
}

function checkRules(model: Model, findings: Finding[]): void {
  const ids: Record<string, Placed<Policy>> = Object.create(null);
  const networks = namesOf(model.networks);
  const services = namesOf(model.services);
  model.policies.forEach((policy) => {
    policy.value.rules.forEach((rule) => {
      const path = rulePath(policy, rule);
      const other = ids[rule.id];
      if (rule.id !== '' && other !== undefined)
        findings.push(
          duplicateOf(policy, other, 'EDW_ERR_DUPLICATE_RULE', path.concat(['id']), `the rule '${rule.id}'`),
        );
      ids[rule.id] = policy;
      rule.from.forEach((term) => {
        if (term.kind !== 'network' || term.name === '' || networks[term.name] === true) return;
        findings.push(
          findingAt(
            policy.document,
            placeInList(policy, path, 'from', 'network', term.name),
            'EDW_ERR_UNKNOWN_NETWORK',
            `there is no Network '${term.name}'`,
          ),
        );
      });
      rule.services.forEach((name) => {
        if (services[name] === true) return;
        findings.push(
          findingAt(
            policy.document,
            path.concat(['services']),
            'EDW_ERR_UNKNOWN_SERVICE',
            `there is no Service '${name}'`,
          ),
        );
      });
    });
  });
}

function namesOf(placed: Placed<Document>[]): Record<string, true> {
  const out: Record<string, true> = Object.create(null);
  placed.forEach((it) => {
    out[it.value.name] = true;
  });
  return out;
}

/** Where a rule stands in its document. Entries that could not be read are missing from the model, so search by id. */
export function rulePath(policy: Placed<Policy>, rule: Rule): Path {
  const rules = (policy.document.value as { rules: { id?: unknown }[] }).rules;
  const candidates = policy.value.rules.filter((it) => it.id === rule.id);
  let nth = candidates.indexOf(rule);
  for (let i = 0; i < rules.length; i += 1) {
    const entry = rules[i];
    if (entry !== null && typeof entry === 'object' && entry.id === rule.id) {
      if (nth <= 0) return ['rules', i];
      nth -= 1;
    }
  }
  return ['rules'];
}

function placeInList(policy: Placed<Policy>, path: Path, list: string, key: string, value: string): Path {
  let at: unknown = policy.document.value;
  path.concat([list]).forEach((step) => {
    at = (at as Record<string | number, unknown> | undefined)?.[step];
  });
  const entries = Array.isArray(at) ? (at as Record<string, unknown>[]) : [];
  for (let i = 0; i < entries.length; i += 1) if (entries[i]?.[key] === value) return path.concat([list, i, key]);
  return path.concat([list]);
}

/** Two documents of one kind have this name. */
export function duplicateName(it: Placed<Document>, other: Placed<Document>): Finding {
  return duplicateOf(it, other, 'EDW_ERR_DUPLICATE_NAME', ['name'], `${it.value.kind} '${it.value.name}'`);
}

function duplicateOf(
  it: Placed<Document>,
  other: Placed<Document>,
  code: PolicyCode,
  path: Path,
  what: string,
): Finding {
  const there = other.document.locate([]);
  return findingAt(it.document, path, code, `${what} exists already, in ${other.document.file}:${there.line}`);
}
