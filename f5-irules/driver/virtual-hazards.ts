import { boxText } from './box-text.ts';
import type { Bound, Hazard } from './hazards.ts';
import type { EnforcementRules } from './irules.ts';
import { type Handler, readRule } from './rule-text.ts';

/** What the configuration of one virtual server means for the policy that is bound to it. Asks nobody. */
export interface VirtualFacts {
  bind: string;
  entry: Bound;
  /** In order. */
  attached: AttachedRule[];
  /** LTM policies. */
  policies: string[];
  /** Its HTTP profiles; none: no request is ever seen. */
  http: HttpProfile[];
  /** Full paths of profiles by which requests come as streams of HTTP/2. */
  streams: string[];
  isFastL4: boolean;
}

export interface HttpProfile {
  fullPath: string;
  /** `reverse`, `explicit`, `transparent`, as the box says it. */
  proxyType: string;
  /** What of a request makes the box carry on without any HTTP event: `unknownMethod`, `pipeline`, … */
  passesThrough: string[];
}

interface AttachedRule {
  fullPath: string;
  /** null: it can't be read. */
  text: string | null;
}

type Found = Omit<Hazard, 'object'>;

export function virtualHazards(facts: VirtualFacts, rules: EnforcementRules): Hazard[] {
  const found = [
    ...attachmentHazards(facts, rules),
    ...profileHazards(facts),
    ...facts.policies.map(policyHazard),
    ...foreignHazards(facts, rules),
  ];
  return found.map((hazard) => ({ object: facts.bind, ...hazard }));
}

const ATTACH = 'Attach both rules: `edgeward bigip attach`.';

function attachmentHazards({ entry, attached }: VirtualFacts, { l4, l7 }: EnforcementRules): Found[] {
  const names = attached.map(({ fullPath }) => fullPath);
  const [hasL4, hasL7] = [names.includes(l4.fullPath), names.includes(l7.fullPath)];
  if (!hasL4 && !hasL7)
    return [{ code: 'not-attached', words: 'no rule of Edgeward is attached: everything passes', mend: ATTACH }];
  if (!hasL4) {
    const words = `${l4.fullPath} is not attached: connections are not judged`;
    return [{ code: 'connections-not-judged', words, mend: ATTACH }];
  }
  if (hasL7 || entry.protocol !== 'http' || (entry.requests === null && !entry.proxies)) return [];
  const words = `${l7.fullPath} is not attached: what depends on a request is denied`;
  return [{ code: 'requests-not-judged', words, mend: ATTACH }];
}

function profileHazards({ entry, http, streams, isFastL4 }: VirtualFacts): Found[] {
  if (entry.protocol !== 'http') return [];
  if (http.length > 0) return [...http.flatMap(httpHazards), ...streams.map(streamHazard)];
  const mend = 'Give it a standard virtual server with an HTTP profile, or set `protocol: tcp` for this object.';
  if (isFastL4) return [{ code: 'fast-l4', words: 'it is a FastL4 virtual server: no request is ever seen', mend }];
  return [{ code: 'no-http-profile', words: 'it has no HTTP profile: no request is ever seen', mend }];
}

function httpHazards({ fullPath, proxyType, passesThrough }: HttpProfile): Found[] {
  const name = boxText(fullPath);
  const found: Found[] = [];
  if (passesThrough.length > 0) {
    const what = passesThrough.join(', ');
    found.push({
      code: 'http-pass-through',
      words: `the HTTP profile ${name} passes through what it does not understand (${what}): from then on nothing of that connection is judged`,
      mend: `Set ${what} of that profile to allow or reject, not to pass-through.`,
    });
  }
  if (proxyType !== 'reverse')
    found.push({
      code: 'http-proxy-mode',
      words: `the HTTP profile ${name} is of proxy type ${boxText(proxyType, 40)}: what is tunnelled is not judged`,
      mend: 'Use an HTTP profile of proxy type reverse, or set `protocol: tcp` for this object.',
    });
  return found;
}

function streamHazard(profile: string): Found {
  return {
    code: 'http-proxy-mode',
    words: `the profile ${boxText(profile)} takes HTTP/2: whether each of its streams is judged was never tried on a box`,
    mend: 'Try it in `mode: observe` before you rely on it, or take that profile off.',
  };
}

function policyHazard(policy: string): Found {
  return {
    code: 'ltm-policy',
    words: `the LTM policy ${boxText(policy)} runs before every rule and may answer or forward a request itself`,
    mend: 'Look at what the policy does; whatever must be judged may not be answered or forwarded by it.',
  };
}

function foreignHazards({ attached }: VirtualFacts, rules: EnforcementRules): Found[] {
  const own = new Map([rules.l4, rules.l7].map((rule) => [rule.fullPath, rule]));
  const ours: Placed[] = attached.flatMap(({ fullPath }, position) => {
    const rule = own.get(fullPath);
    return rule === undefined ? [] : [{ position, handlers: readRule(rule.text).handlers }];
  });
  return [...attached.entries()].flatMap(([position, rule]) =>
    own.has(rule.fullPath) ? [] : ruleHazards(rule, position, ours),
  );
}

function ruleHazards({ fullPath, text }: AttachedRule, position: number, ours: readonly Placed[]): Found[] {
  const name = boxText(fullPath);
  if (text === null) return [unreadHazard(name), ...vendorHazards(name, fullPath)];
  const { handlers, endsEvents, endsHttp } = readRule(text);
  const found: Found[] = eventsBefore({ position, handlers }, ours).map((event) => ({
    code: 'rule-before-ours',
    words: `the rule ${name} handles ${event} before Edgeward does, and may answer or forward by itself`,
    mend: 'Attach it after the rules of Edgeward, with a priority above theirs.',
  }));
  if (endsEvents)
    found.push({
      code: 'rule-ends-events',
      words: `the rule ${name} uses \`event disable\`: later requests of the same connection may pass unjudged`,
      mend: 'Take `event disable` out of that rule.',
    });
  if (endsHttp)
    found.push({
      code: 'rule-ends-http',
      words: `the rule ${name} uses \`HTTP::disable\`: what follows on that connection passes unjudged`,
      mend: 'Take `HTTP::disable` out of that rule, or set `protocol: tcp` for this object.',
    });
  return [...found, ...vendorHazards(name, `${fullPath}\n${text}`)];
}

function unreadHazard(name: string): Found {
  return {
    code: 'rule-not-readable',
    words: `the rule ${name} can't be read: whether it runs first, or ends what Edgeward needs, is not known`,
    mend: 'Let the user of this point read it, or look at it yourself.',
  };
}

function vendorHazards(name: string, text: string): Found[] {
  if (!/illumio/i.test(text)) return [];
  const words = `the rule ${name} is of Illumio: two products decide here, and each changes the list of rules`;
  return [{ code: 'other-vendor', words, mend: 'Let one product enforce on this virtual server.' }];
}

interface Placed {
  position: number;
  handlers: Handler[];
}

/** Lower priorities run first; of equal ones the rule that is attached first. */
function eventsBefore(foreign: Placed, ours: readonly Placed[]): string[] {
  const events = foreign.handlers.flatMap(({ event, priority }) => {
    const isFirst = ours.some(({ position, handlers }) =>
      handlers.some(
        (own) =>
          own.event === event &&
          event !== 'RULE_INIT' &&
          (priority < own.priority || (priority === own.priority && foreign.position < position)),
      ),
    );
    return isFirst ? [event] : [];
  });
  return [...new Set(events)];
}
