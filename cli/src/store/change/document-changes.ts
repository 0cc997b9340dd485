/**
 * What people would sign against what they signed before: document by document, from the two bundles alone. A comparison of
 * flows sees members, and members are what the store says; here nothing depends on them.
 */
import { type Bundle, type BundleDocument, type BundleKind, sourceDocumentsOf } from '@edgeward/central-store';
import { linkModel, resolve } from '@edgeward/policy';
import { canonicalJson } from '@edgeward/policy-format';
import { byPart, type Fact, factsOf } from './document-facts.ts';

interface Named {
  kind: BundleKind;
  name: string;
}

export interface DocumentChanges {
  added: (Named & { facts: Fact[] })[];
  removed: (Named & { facts: Fact[] })[];
  changed: (Named & { added: Fact[]; removed: Fact[]; kept: Fact[] })[];
  /** Rules that reach other objects than before: by their own selector, or by the labels of an object. */
  reach: ReachChange[];
}

export interface ReachChange {
  rule: string;
  /** Names of objects. */
  gained: string[];
  lost: string[];
  /** Whom the rule names as a source. */
  from: Fact[];
}

export function documentChanges(before: Bundle | null, after: Bundle): DocumentChanges {
  const was = byKey(before?.documents ?? []);
  const is = byKey(after.documents);
  const named = (document: BundleDocument): Named & { facts: Fact[] } => ({
    ...nameOf(document),
    facts: factsOf(document),
  });
  return {
    added: [...is].filter(([key]) => !was.has(key)).map(([, document]) => named(document)),
    removed: [...was].filter(([key]) => !is.has(key)).map(([, document]) => named(document)),
    changed: [...is].flatMap(([key, document]) => {
      const old = was.get(key);
      if (old === undefined || canonicalJson(old) === canonicalJson(document)) return [];
      return [{ ...nameOf(document), ...differing(factsOf(old), factsOf(document)) }];
    }),
    reach: reachChanges(before, after),
  };
}

function nameOf({ kind, name }: BundleDocument): Named {
  return { kind, name };
}

function byKey(documents: readonly BundleDocument[]): Map<string, BundleDocument> {
  return new Map(documents.map((document) => [`${document.kind}/${document.name}`, document]));
}

const keyOf = ({ where, text, fence }: Fact): string => canonicalJson([where, text, fence]);

function differing(was: readonly Fact[], is: readonly Fact[]): { added: Fact[]; removed: Fact[]; kept: Fact[] } {
  const removed = without(was, is);
  const added = without(is, was);
  // It is not the same bytes: then there is something to say, even where it changes nothing.
  if (removed.length + added.length === 0)
    return {
      added: [{ where: '', text: 'the same entries, in another order or spelling', fence: null }],
      removed,
      kept: [],
    };
  return { added, removed, kept: keptTerms(is, added, [...added, ...removed]) };
}

/** Each as often as it stands there more often. */
function without(from: readonly Fact[], taken: readonly Fact[]): Fact[] {
  const left = new Map<string, number>();
  for (const fact of taken) left.set(keyOf(fact), (left.get(keyOf(fact)) ?? 0) + 1);
  return from.filter((fact) => {
    const count = left.get(keyOf(fact)) ?? 0;
    left.set(keyOf(fact), count - 1);
    return count <= 0;
  });
}

/** A rule that changed opens what its fences hold, also where these are as before. */
function keptTerms(is: readonly Fact[], added: readonly Fact[], touched: readonly Fact[]): Fact[] {
  const rules = new Set(touched.map(({ where }) => where));
  const isNew = new Set(added.map(keyOf));
  return is.filter((fact) => fact.fence !== null && rules.has(fact.where) && !isNew.has(keyOf(fact)));
}

function reachChanges(before: Bundle | null, after: Bundle): ReachChange[] {
  const was = reachOf(before);
  const is = reachOf(after);
  const terms = byPart(after.documents.flatMap(factsOf).filter(isTerm), (fact) => fact);
  const none = new Set<string>();
  return [...new Set([...is.keys(), ...was.keys()])].flatMap((rule) => {
    const [had, has] = [was.get(rule) ?? none, is.get(rule) ?? none];
    const gained = [...has].filter((name) => !had.has(name));
    const lost = [...had].filter((name) => !has.has(name));
    if (gained.length + lost.length === 0) return [];
    return [{ rule, gained, lost, from: terms.get(`rule ${rule}`) ?? [] }];
  });
}

function isTerm({ where, text }: Fact): boolean {
  return where.startsWith('rule ') && text.startsWith('from ');
}

/** By the id of a rule: the objects that its selector and their labels make it stand at. */
function reachOf(bundle: Bundle | null): Map<string, Set<string>> {
  // At no time: a rule that has ended is compared like any other.
  const { rules, objects } = resolve(linkModel(bundle === null ? [] : sourceDocumentsOf(bundle), []), 0);
  const names = (listed: readonly number[]): string[] => listed.flatMap((i) => objects[i]?.name ?? []);
  return new Map(rules.map((it) => [it.rule.id, new Set(names(it.objects))]));
}
