import type { LoadedPolicy } from './decide.ts';
import { decide } from './decide.ts';
import { judgedSource } from './explain.ts';
import type { Flow, Verdict } from './flow.ts';
import type { Identities } from './identity.ts';
import { nearestRule } from './nearest-rule.ts';
import type { ObjectViews } from './policy-tests.ts';
import { plainRequest } from './request.ts';
import { compareText } from './text-order.ts';

/**
 * Recorded flows against a draft: what it would deny that passed, and allow that was denied. Flows that are judged
 * otherwise are put together by who asks × object × port × request; of each group a few are kept, and of groups as many
 * as are asked for. What is beyond that is counted. Nothing here remembers a flow that is judged as it was.
 */
export interface Replay {
  /** `count`: how often it was recorded. */
  add(flow: Flow, recorded: RecordedVerdict, count: number): void;
  result(): ReplayResult;
}

/** What became of a flow: judged by a policy, or told by who recorded it. */
export interface RecordedVerdict {
  verdict: 'allow' | 'deny';
  reason: string | null;
  rule: string | null;
}

export interface ReplayTally {
  /** Records, and how often they were seen in all. */
  records: number;
  count: number;
}

export interface ReplayResult {
  newlyDenied: ReplayTally;
  newlyAllowed: ReplayTally;
  /** Judged as they were. */
  stillAllowed: ReplayTally;
  stillDenied: ReplayTally;
  /** The most frequent first. */
  groups: ReplayGroup[];
  /** Judged otherwise, and in no group because there were too many. */
  ungrouped: ReplayTally;
}

export interface ReplayGroup extends ReplayTally {
  change: 'newly-denied' | 'newly-allowed';
  /** `app=crm,env=prod`, `network branch-offices`, or `unknown`. */
  source: string;
  object: string;
  port: string;
  /** `GET /v1/orders/*`; null where requests are not judged. */
  request: string | null;
  before: RecordedVerdict;
  after: RecordedVerdict;
  /** Of the first denied flow: the rule that came nearest, and what it lacked. */
  nearestRule: string | null;
  missed: string | null;
  examples: Flow[];
}

export interface ReplayOptions {
  views: ObjectViews;
  identities: Identities;
  maxGroups: number;
  maxExamples: number;
}

/** Sources that are known by name; one past it is looked up again. */
const KNOWN_SOURCES = 50_000;
/** A group of flows is told by so many segments of their paths. */
const SEGMENTS = 2;

export function createReplay(options: ReplayOptions): Replay {
  const groups: Record<string, ReplayGroup> = Object.create(null);
  const keys: string[] = [];
  const sourceOf = sourceNames(options.identities);
  const empty = (): ReplayTally => ({ records: 0, count: 0 });
  const tallies = {
    newlyDenied: empty(),
    newlyAllowed: empty(),
    stillAllowed: empty(),
    stillDenied: empty(),
    ungrouped: empty(),
  };
  const put = (flow: Flow, before: RecordedVerdict, view: LoadedPolicy, after: Verdict, count: number): void => {
    const change = after.verdict === 'deny' ? 'newly-denied' : 'newly-allowed';
    const http = view.object(flow.to)?.protocol !== 'tcp';
    const from = judgedSource(view, flow);
    const source = sourceOf(from);
    const object = short(flow.to);
    const request = http ? short(requestOf(flow)) : null;
    const told = { verdict: after.verdict, reason: after.reason, rule: after.rule };
    const key = JSON.stringify([source, object, flow.port, request, before, told]);
    let group = groups[key];
    if (group === undefined) {
      if (keys.length >= options.maxGroups) {
        tally(tallies.ungrouped, count);
        return;
      }
      const near =
        after.verdict === 'deny' && after.rule === null
          ? nearest(options.identities, Object.assign({}, flow, { from }))
          : null;
      group = {
        change,
        source,
        object,
        port: flow.port,
        request,
        before,
        after: told,
        nearestRule: near === null ? null : near.rule,
        missed: near === null ? null : near.missed,
        records: 0,
        count: 0,
        examples: [],
      };
      groups[key] = group;
      keys.push(key);
    }
    tally(group, count);
    if (group.examples.length < options.maxExamples) group.examples.push(shortened(flow));
  };
  return {
    add: (flow, recorded, count) => {
      const view = options.views.forObject(flow.to);
      const after = decide(view, flow);
      if (after.verdict === recorded.verdict) {
        tally(after.verdict === 'allow' ? tallies.stillAllowed : tallies.stillDenied, count);
        return;
      }
      tally(after.verdict === 'allow' ? tallies.newlyAllowed : tallies.newlyDenied, count);
      put(flow, recorded, view, after, count);
    },
    result: () => {
      const sorted = keys.map((key) => groups[key] as ReplayGroup);
      sorted.sort((a, b) => b.count - a.count || compareText(a.source, b.source) || compareText(a.object, b.object));
      return Object.assign({ groups: sorted }, tallies);
    },
  };
}

function tally(into: ReplayTally, count: number): void {
  into.records += 1;
  into.count += count;
}

function nearest(identities: Identities, flow: Flow): { rule: string; missed: string } | null {
  const object = identities.object(flow.to);
  return object === null ? null : nearestRule(identities, object, flow);
}

/** Who an address is, as one short text; the last many are remembered, because a log asks for the same ones again. */
function sourceNames(identities: Identities): (address: string) => string {
  let known: Record<string, string> = Object.create(null);
  let size = 0;
  return (address) => {
    const memo = known[address];
    if (memo !== undefined) return memo;
    if (size >= KNOWN_SOURCES) {
      known = Object.create(null);
      size = 0;
    }
    const it = identities.identify(address);
    const labels = Object.keys(it.labels)
      .sort()
      .map((key) => `${key}=${it.labels[key]}`);
    const networks = it.networks.map((name) => `network ${name}`);
    const name = labels.length > 0 ? labels.join(',') : networks.length > 0 ? networks.join(', ') : 'unknown';
    known[address] = name;
    size += 1;
    return name;
  };
}

/** A line may be long, and many are kept. */
const MOST_CHARS = 300;

function short(text: string): string {
  return text.length <= MOST_CHARS ? text : `${text.slice(0, MOST_CHARS)}…`;
}

function shortened(flow: Flow): Flow {
  const out: Flow = { from: flow.from, to: short(flow.to), port: flow.port };
  if (flow.method !== undefined) out.method = short(flow.method);
  if (flow.path !== undefined) out.path = short(flow.path);
  if (flow.host !== undefined)
    out.host = typeof flow.host === 'string' ? short(flow.host) : flow.host.slice(0, 2).map(short);
  if (flow.forwardedFor !== undefined) out.forwardedFor = short(flow.forwardedFor);
  return out;
}

/** The method and the beginning of the path: what a person would write a rule about. */
function requestOf(flow: Flow): string {
  const request = plainRequest(flow.method, flow.path, flow.host);
  if (request === null) return "what can't be judged safely";
  const segments = request.path.split('/');
  const cut = segments.length > SEGMENTS + 1;
  return `${request.method} ${cut ? `${segments.slice(0, SEGMENTS + 1).join('/')}/*` : request.path}`;
}
