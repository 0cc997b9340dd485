import { EdgewardError } from '@edgeward/runtime';
import { FASTL4_PROFILES, HTTP_PROFILES, inPartition, PUBLISHERS, RULE_STATS, RULES, VIRTUALS } from './box-paths.ts';
import { boxText } from './box-text.ts';
import { normalText, readVirtual } from './held.ts';
import { type Icontrol, type Json, objectPath } from './icontrol/index.ts';
import type { EnforcementRules } from './irules.ts';
import type { MapEntry } from './layout/index.ts';
import { type AttachedRule, virtualHazards } from './virtual-hazards.ts';

/**
 * What stands on a box that a policy can't know of, and that keeps it from being enforced as it is written: a virtual
 * server to which nothing is attached, a foreign rule that runs first or ends our events. Read only, and slow: a few
 * calls for each virtual server.
 */
export interface Hazard {
  /** Full path of the virtual server, or of what else is meant. */
  object: string;
  code: HazardCode;
  words: string;
  mend: string;
}

export type HazardCode =
  | 'virtual-missing'
  | 'virtual-not-readable'
  | 'not-attached'
  | 'requests-not-judged'
  | 'connections-not-judged'
  | 'rule-before-ours'
  | 'rule-ends-events'
  | 'rule-ends-http'
  | 'other-vendor'
  | 'ltm-policy'
  | 'no-http-profile'
  | 'fast-l4'
  | 'rule-aborts'
  | 'audit-publisher-missing';

/** What the map says, or is going to say, of a virtual server. */
export type Bound = Pick<MapEntry, 'protocol' | 'requests' | 'proxies'>;

export async function findHazards(
  box: Icontrol,
  bound: ReadonlyMap<string, Bound>,
  rules: EnforcementRules,
): Promise<Hazard[]> {
  const look = lookAround(box, rules);
  const hazards: Hazard[] = [];
  for (const [bind, entry] of bound) hazards.push(...(await hazardsOfVirtual(look, bind, entry)));
  return [...hazards, ...(await abortHazards(box, rules)), ...(await publisherHazards(box))];
}

interface Look {
  box: Icontrol;
  rules: EnforcementRules;
  /** Each read once, however many virtual servers use it. */
  textOf(fullPath: string): Promise<string>;
  profilesAt(path: string): Promise<ReadonlySet<string>>;
}

function lookAround(box: Icontrol, rules: EnforcementRules): Look {
  const texts = new Map<string, Promise<string>>();
  const profiles = new Map<string, Promise<ReadonlySet<string>>>();
  return {
    box,
    rules,
    textOf: (fullPath) =>
      once(texts, fullPath, async () => normalText((await box.get(objectPath(RULES, fullPath)))?.apiAnonymous)),
    profilesAt: (path) =>
      once(
        profiles,
        path,
        async () => new Set((await box.list(path, { $select: 'fullPath' })).map((one) => String(one.fullPath))),
      ),
  };
}

function once<T>(known: Map<string, Promise<T>>, key: string, read: () => Promise<T>): Promise<T> {
  const value = known.get(key) ?? read();
  known.set(key, value);
  return value;
}

async function hazardsOfVirtual(look: Look, bind: string, entry: Bound): Promise<Hazard[]> {
  try {
    const virtual = await look.box.get(objectPath(VIRTUALS, bind), { expandSubcollections: 'true' });
    if (virtual === null) return [missing(bind)];
    const attached = await attachedRules(look, readVirtual(virtual).rules);
    const [http, fastL4] = await Promise.all([look.profilesAt(HTTP_PROFILES), look.profilesAt(FASTL4_PROFILES)]);
    const profiles = itemsOf(virtual, 'profilesReference');
    const facts = {
      bind,
      entry,
      attached,
      policies: itemsOf(virtual, 'policiesReference'),
      hasHttp: profiles.some((profile) => http.has(profile)),
      isFastL4: profiles.some((profile) => fastL4.has(profile)),
    };
    return virtualHazards(facts, look.rules);
  } catch (cause) {
    if (!(cause instanceof EdgewardError) || cause.code !== 'EDW_ERR_BIGIP_NAME') throw cause;
    return [{ object: bind, code: 'virtual-not-readable', words: cause.message, mend: cause.mend }];
  }
}

function attachedRules(look: Look, names: readonly string[]): Promise<AttachedRule[]> {
  return Promise.all(
    names.map(async (fullPath) => {
      // A name that can't be addressed can't be read either; that it is there is told all the same.
      const text = fullPath.includes('~') ? '' : await look.textOf(fullPath);
      return { fullPath, text };
    }),
  );
}

function itemsOf(virtual: Json, reference: string): string[] {
  const { items } = (virtual[reference] ?? {}) as Json;
  return Array.isArray(items) ? items.map((item: Json) => String(item.fullPath ?? item.name)) : [];
}

function missing(bind: string): Hazard {
  return {
    object: bind,
    code: 'virtual-missing',
    words: 'there is no such virtual server on this box',
    mend: 'Correct `bind` of this object, or make the virtual server.',
  };
}

async function abortHazards(box: Icontrol, rules: EnforcementRules): Promise<Hazard[]> {
  const own = new Set([rules.l4.fullPath, rules.l7.fullPath]);
  const stats = await box.get(RULE_STATS);
  return Object.values((stats?.entries ?? {}) as Json).flatMap((entry) => {
    const { entries } = ((entry as Json).nestedStats ?? {}) as Json;
    const { tmName, eventType, aborts } = (entries ?? {}) as Record<string, Json>;
    const object = String(tmName?.description);
    const count = Number(aborts?.value ?? 0);
    if (!own.has(object) || !(count > 0)) return [];
    const words = `it was aborted ${count} times in ${boxText(eventType?.description, 40)}; each time a client was reset`;
    return [
      {
        object,
        code: 'rule-aborts',
        words,
        mend: 'Look for "TCL error" and this rule in /var/log/ltm, and report it.',
      },
    ];
  });
}

async function publisherHazards(box: Icontrol): Promise<Hazard[]> {
  const object = inPartition('eg_audit');
  if ((await box.get(objectPath(PUBLISHERS, object))) !== null) return [];
  return [
    {
      object,
      code: 'audit-publisher-missing',
      words: 'there is no such log publisher: requests are judged, and denials are not recorded',
      mend: 'Make the publisher, its destination and its pool, as the how-to for BIG-IP says.',
    },
  ];
}
