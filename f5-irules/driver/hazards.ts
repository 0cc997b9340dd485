import { EdgewardError } from '@edgeward/runtime';
import { FASTL4_PROFILES, HTTP_PROFILES, inPartition, PUBLISHERS, RULE_STATS, RULES, VIRTUALS } from './box-paths.ts';
import { boxText } from './box-text.ts';
import { forgetful, type HazardMemory } from './hazard-memory.ts';
import { normalText, readVirtual } from './held.ts';
import { type Icontrol, type Json, objectPath } from './icontrol/index.ts';
import type { EnforcementRules } from './irules.ts';
import type { Layout, MapEntry } from './layout/index.ts';
import { type HttpProfile, virtualHazards } from './virtual-hazards.ts';

/**
 * What stands on a box that a policy can't know of, and that keeps it from being enforced as it is written: a virtual
 * server to which nothing is attached, a foreign rule that runs first or ends our events. Read only, and slow
 * without a memory: a call for each virtual server and each rule.
 */
export interface Hazard {
  /** Full path of the virtual server, or what else is meant. */
  object: string;
  code: HazardCode;
  words: string;
  mend: string;
}

export type HazardCode =
  | 'bind-unusable'
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
  | 'http-pass-through'
  | 'http-proxy-mode'
  | 'rule-not-readable'
  | 'rule-aborts'
  | 'audit-publisher-missing';

/** What the map says, or is going to say, of a virtual server. */
export type Bound = Pick<MapEntry, 'protocol' | 'requests' | 'proxies'>;

/** Without a memory everything is read. */
export async function findHazards(
  box: Icontrol,
  bound: ReadonlyMap<string, Bound>,
  rules: EnforcementRules,
  memory: HazardMemory = forgetful,
): Promise<Hazard[]> {
  const look = await lookAround(box, rules, memory);
  const hazards: Hazard[] = [];
  for (const [bind, entry] of bound) hazards.push(...(await hazardsOfVirtual(look, bind, entry)));
  return [...hazards, ...(await abortHazards(box, rules)), ...(await publisherHazards(box))];
}

/** Objects of the policy that no box could ever have. */
export function unusableHazards({ unusable }: Pick<Layout, 'unusable'>): Hazard[] {
  return unusable.map(({ name, bind }) => ({
    object: name,
    code: 'bind-unusable',
    words: `it binds ${JSON.stringify(boxText(bind))}, which is no full path of a virtual server: it is left out`,
    mend: `Write the full path as \`bind\` of ${name}, such as /Common/vs_orders.`,
  }));
}

interface Look {
  rules: EnforcementRules;
  /** null: there is no such virtual server. */
  virtualAt(fullPath: string): Promise<Json | null>;
  /** null: it can't be read. */
  textOf(fullPath: string): Promise<string | null>;
  /** By full path. */
  http: ReadonlyMap<string, HttpProfile>;
  fastL4: ReadonlySet<string>;
}

async function lookAround(box: Icontrol, rules: EnforcementRules, memory: HazardMemory): Promise<Look> {
  const seen = await memory.begin(box);
  const http = await box.list(HTTP_PROFILES, { $select: 'fullPath,proxyType,enforcement' });
  const fastL4 = await box.list(FASTL4_PROFILES, { $select: 'fullPath' });
  const virtual = (fullPath: string): Promise<Json | null> =>
    box.get(objectPath(VIRTUALS, fullPath), { expandSubcollections: 'true' });
  return {
    rules,
    virtualAt: (fullPath) => seen.object(VIRTUALS, fullPath, virtual),
    textOf: async (fullPath) => textIn(await seen.object(RULES, fullPath, (path) => readRuleObject(box, path))),
    http: new Map(http.map((profile) => [String(profile.fullPath), httpProfile(profile)])),
    fastL4: new Set(fastL4.map(({ fullPath }) => String(fullPath))),
  };
}

/** null: there is none, or none that this user may read. */
async function readRuleObject(box: Icontrol, fullPath: string): Promise<Json | null> {
  try {
    return await box.get(objectPath(RULES, fullPath));
  } catch (cause) {
    if (cause instanceof EdgewardError && UNREADABLE.has(cause.code)) return null;
    throw cause;
  }
}

/** What an object can't be read for, without anything else being wrong. */
const UNREADABLE = new Set(['EDW_ERR_BIGIP_NAME', 'EDW_ERR_BIGIP_RIGHTS']);

function textIn(rule: Json | null): string | null {
  return typeof rule?.apiAnonymous === 'string' ? normalText(rule.apiAnonymous) : null;
}

/** Of a request; what concerns answers keeps nothing from being judged. */
const ENFORCEMENTS = ['unknownMethod', 'oversizeClientHeaders', 'excessClientHeaders', 'pipeline'];

function httpProfile({ fullPath, proxyType, enforcement }: Json): HttpProfile {
  const settings = (enforcement ?? {}) as Json;
  return {
    fullPath: String(fullPath),
    proxyType: typeof proxyType === 'string' ? proxyType : 'reverse',
    passesThrough: ENFORCEMENTS.filter((key) => settings[key] === 'pass-through'),
  };
}

async function hazardsOfVirtual(look: Look, bind: string, entry: Bound): Promise<Hazard[]> {
  try {
    const virtual = await look.virtualAt(bind);
    if (virtual === null) return [missing(bind)];
    const names = readVirtual(virtual).rules;
    const texts = await Promise.all(names.map((name) => look.textOf(name)));
    const profiles = itemsOf(virtual, 'profilesReference');
    const facts = {
      bind,
      entry,
      attached: names.map((fullPath, index) => ({ fullPath, text: texts[index] ?? null })),
      policies: itemsOf(virtual, 'policiesReference').map(pathOf),
      http: profiles.flatMap((profile) => look.http.get(pathOf(profile)) ?? []),
      streams: profiles.filter(takesStreams).map(pathOf),
      isFastL4: profiles.some((profile) => look.fastL4.has(pathOf(profile))),
    };
    return virtualHazards(facts, look.rules);
  } catch (cause) {
    if (!(cause instanceof EdgewardError) || !UNREADABLE.has(cause.code)) throw cause;
    return [{ object: bind, code: 'virtual-not-readable', words: cause.message, mend: cause.mend }];
  }
}

/** The kind stands in the reference of the profile's name; where a version gives none, the usual names tell. */
function takesStreams(profile: Json): boolean {
  const { link } = (profile.nameReference ?? {}) as Json;
  if (typeof link === 'string') return /\/ltm\/profile\/(http2|httprouter)\//.test(link);
  return /\/(http2|httprouter)$/.test(pathOf(profile));
}

function itemsOf(virtual: Json, reference: string): Json[] {
  const { items } = (virtual[reference] ?? {}) as Json;
  return Array.isArray(items) ? (items as Json[]) : [];
}

function pathOf({ fullPath, name }: Json): string {
  return String(fullPath ?? name);
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
