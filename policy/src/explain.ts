import { formatAddress, parseAddress } from './address.ts';
import type { LoadedPolicy } from './decide.ts';
import { decideFor, judgedAddress } from './decide.ts';
import type { Flow, Mode, Verdict } from './flow.ts';
import { describeTarget } from './flow-text.ts';
import type { Identities, SourceIdentity } from './identity.ts';
import { nearestRule } from './nearest-rule.ts';
import type { Labels } from './selector.ts';

/** Verdicts in words: who both ends are, which rule decided, and for a denial which rule came nearest and what it lacked. */
export interface Explanation extends Verdict {
  mode: Mode | null;
  object: string;
  objectLabels: Labels;
  source: SourceIdentity;
  /** The allow rule that came nearest, and the one condition that failed; null when a rule decided or none is near. */
  nearestRule: string | null;
  missed: string | null;
  words: string;
}

export function explain(identities: Identities, view: LoadedPolicy, flow: Flow): Explanation {
  const verdict = decideFor(view, parseAddress(flow.from), flow);
  const object = identities.object(flow.to);
  const undecided = verdict.verdict === 'deny' && verdict.rule === null;
  const from = judgedSource(view, flow);
  const near = undecided && object !== null ? nearestRule(identities, object, Object.assign({}, flow, { from })) : null;
  const out: Explanation = {
    verdict: verdict.verdict,
    reason: verdict.reason,
    rule: verdict.rule,
    revision: verdict.revision,
    mode: object === null ? null : object.mode,
    object: flow.to,
    objectLabels: object === null ? {} : object.labels,
    source: identities.identify(from),
    nearestRule: near === null ? null : near.rule,
    missed: near === null ? null : near.missed,
    words: '',
  };
  out.words = inWords(out, flow);
  return out;
}

/** Whom the verdict is about: behind a trusted proxy that is not the peer. */
export function judgedSource(view: LoadedPolicy, flow: Flow): string {
  const peer = parseAddress(flow.from);
  const object = view.object(flow.to);
  return peer === null || object === null ? flow.from : formatAddress(judgedAddress(object, peer, flow));
}

const REASONS: Record<string, string> = {
  'no-policy': 'the point holds no policy',
  'unknown-object': 'the policy knows no object of this name',
  'mode-off': 'the object is off',
  failsafe: 'the source may always reach tcp/22 here',
  'unknown-source': 'no rule for this object names the source',
  'port-not-allowed': 'no rule that names the source names the port, or the object does not list it',
  'denied-by-rule': 'a deny rule matches',
  'bad-request': "the request can't be judged safely",
  'allowed-by-rule': 'an allow rule matches',
  'request-not-allowed': 'no rule allows this request',
  'internal-error': 'the hook failed',
};

/** A reason as a sentence's end. */
export function reasonInWords(reason: string): string {
  return REASONS[reason] ?? reason;
}

function inWords(it: Explanation, flow: Flow): string {
  const labels = Object.keys(it.source.labels)
    .sort()
    .map((key) => `${key}=${it.source.labels[key]}`)
    .join(',');
  const names = it.source.workloads.concat(it.source.networks).join(', ');
  const who = `${it.source.address}${names === '' ? '' : ` (${names}${labels === '' ? '' : `; ${labels}`})`}`;
  const word = it.verdict === 'allow' ? 'ALLOW' : it.mode === 'observe' ? 'would DENY (observe: passes)' : 'DENY';
  const rule = it.rule === null ? '' : ` '${it.rule}'`;
  const near = it.nearestRule === null ? '' : `; nearest rule '${it.nearestRule}': ${it.missed}`;
  return `${word} ${who} → ${it.object} ${describeTarget(flow)}: ${reasonInWords(it.reason)}${rule}${near}`;
}
