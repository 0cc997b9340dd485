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
  hasHttp: boolean;
  isFastL4: boolean;
}

export interface AttachedRule {
  fullPath: string;
  text: string;
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

function profileHazards({ entry, hasHttp, isFastL4 }: VirtualFacts): Found[] {
  if (entry.protocol !== 'http' || hasHttp) return [];
  const mend = 'Give it a standard virtual server with an HTTP profile, or set `protocol: tcp` for this object.';
  if (isFastL4) return [{ code: 'fast-l4', words: 'it is a FastL4 virtual server: no request is ever seen', mend }];
  return [{ code: 'no-http-profile', words: 'it has no HTTP profile: no request is ever seen', mend }];
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
  const { handlers, endsEvents, endsHttp } = readRule(text);
  const name = boxText(fullPath);
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
  if (/illumio/i.test(fullPath) || /illumio/i.test(text))
    found.push({
      code: 'other-vendor',
      words: `the rule ${name} is of Illumio: two products decide here, and each changes the list of rules`,
      mend: 'Let one product enforce on this virtual server.',
    });
  return found;
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
