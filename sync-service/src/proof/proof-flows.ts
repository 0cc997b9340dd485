import type { ProofQuestion } from '@edgeward/nginx-njs';
import {
  type CompiledObject,
  type CompiledPolicy,
  type CompiledRule,
  decide,
  formatAddress,
  type HttpCondition,
  type LoadedPolicy,
  predecessor,
  successor,
  unpack,
  viewOf,
} from '@edgeward/policy';

/**
 * Which synthetic flows prove an object: one that the policy lets in, and one that it keeps out, as `decide` says of this
 * very policy. The first comes from an address that an allow rule names, the second from one that no rule does. Where there
 * is no such flow there is null: an object that lets nobody in, or everybody.
 */
export interface ProofFlows {
  allow: ProofQuestion | null;
  deny: ProofQuestion | null;
}

/** Of documentation (RFC 5737, RFC 3849): nobody has them. */
const NOBODYS = ['192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1'];
/** Ends of this many intervals are tried for an address beside them that no rule names. */
const MOST_NEIGHBOURS = 256;
/** A choice must not hold up the process, whatever a policy holds. */
const MOST_CLASSES = 4096;

/** `port` is that of the listener, as in `tcp/443`. */
export function proofFlows(policy: CompiledPolicy, object: CompiledObject, port: string): ProofFlows {
  const view = viewOf({ ...policy, objects: [object] });
  const passes = (question: ProofQuestion): boolean =>
    decide(view, proofFlow(object.name, port, question)).verdict === 'allow';
  return {
    allow: firstAllowed(object, passes),
    deny: unnamed(object, view, port) ?? refusedRequest(object, passes),
  };
}

/** As `decide` takes it. */
export function proofFlow(object: string, port: string, question: ProofQuestion): Parameters<typeof decide>[1] {
  const { from, method, path, host } = question;
  return { from, to: object, port, method, path, ...(host === null ? {} : { host }) };
}

function firstAllowed(object: CompiledObject, passes: (question: ProofQuestion) => boolean): ProofQuestion | null {
  for (const { from, rules } of eachClass(object)) {
    for (const rule of rules) {
      if (rule.action !== 'allow') continue;
      const found = requestsOf(rule).find((request) => passes({ from, ...request }));
      if (found !== undefined) return { from, ...found };
    }
  }
  return null;
}

const PLAIN = { method: 'GET', path: '/', host: null };

function unnamed(object: CompiledObject, view: LoadedPolicy, port: string): ProofQuestion | null {
  for (const from of unlikelySources(object)) {
    const question = { from, ...PLAIN };
    if (decide(view, proofFlow(object.name, port, question)).reason === 'unknown-source') return question;
  }
  return null;
}

function* unlikelySources(object: CompiledObject): Generator<string> {
  yield* NOBODYS;
  let tried = 0;
  for (const { lo, hi } of intervalsOf(object)) {
    for (const key of [predecessor(lo), successor(hi)]) if (key !== null) yield formatAddress(key);
    tried += 1;
    if (tried === MOST_NEIGHBOURS) return;
  }
}

/** Where rules name everybody, somebody may still not ask for everything. */
function refusedRequest(object: CompiledObject, passes: (question: ProofQuestion) => boolean): ProofQuestion | null {
  const requests = [
    { method: 'GET', path: '/.edgeward-proof', host: null },
    { method: 'DELETE', path: '/.edgeward-proof', host: null },
  ];
  for (const { from } of eachClass(object)) {
    const found = requests.find((request) => !passes({ from, ...request }));
    if (found !== undefined) return { from, ...found };
  }
  return null;
}

/** One source of each class: all of a class are judged alike. */
function* eachClass(object: CompiledObject): Generator<{ from: string; rules: CompiledRule[] }> {
  const seen = new Set<number>();
  for (const { lo, value } of intervalsOf(object)) {
    if (seen.has(value)) continue;
    seen.add(value);
    const rules = (object.classes[value] ?? []).flatMap((index) => object.rules[index] ?? []);
    yield { from: formatAddress(lo), rules };
    if (seen.size === Math.min(object.classes.length, MOST_CLASSES)) return;
  }
}

/** Bucket by bucket, because the first few are mostly enough and there may be a million. */
function* intervalsOf({
  sources,
}: CompiledObject): ReturnType<typeof unpack>[number] extends infer Labelled ? Generator<Labelled> : never {
  for (const name of Object.keys(sources)) yield* unpack({ [name]: sources[name] ?? '' });
}

type Request = Omit<ProofQuestion, 'from'>;

function requestsOf({ http }: CompiledRule): Request[] {
  if (http === null) return [PLAIN];
  return http.flatMap((condition) => pathsOf(condition).map((path) => ({ ...endsOf(condition), path })));
}

function endsOf({ methods, hosts }: HttpCondition): Omit<Request, 'path'> {
  return { method: methods?.[0] ?? 'GET', host: hosts?.[0] ?? null };
}

function pathsOf({ path }: HttpCondition): string[] {
  if (path === undefined) return ['/', '/.edgeward-proof'];
  if (!path.endsWith('/*')) return [path];
  const base = path.slice(0, -2);
  return [base === '' ? '/' : base, `${base}/.edgeward-proof`];
}
