import type { CompiledObject, CompiledRule, IntervalTable, Mode, PortRange } from '@edgeward/policy';

/**
 * How a policy lies in NGINX's shared dictionary. The module reads it and the driver writes it; this file is all they
 * have in common.
 *
 *   active                     `GENERATION REVISION HASH`: the single write that switches a policy on
 *   @GENERATION/BIND           header of one object, which leads to its tables
 *   CONTENT + bucket           a value of the object's interval table
 *   DELTA!SLOT                 the buckets of one slot that are other than CONTENT's
 *   RULES#CLASS                the rules that name the sources of one class
 *   boot-id                    made anew with the zone, so that a push can't straddle a restart
 *   writer                     who pushed last, so that two drivers never mix their pushes
 *   mode/BIND                  mode of an object as last known before the policy was lost
 *   proof/DIGIT                a question of a proof that waits, or its answer; no push reads or writes it
 *
 * GENERATION, CONTENT, RULES and DELTA are 12 hex digits that the driver makes of what they name (`driver/entry-names.ts`):
 * equal content is written once and shared by all generations, and nothing under such a name ever changes.
 * RULES is CONTENT until a rule changes and the addresses do not. Keys of up to 16 bytes take 128 bytes of the zone,
 * longer ones 256 (measured).
 *
 * A change of few addresses is a delta against a table that is there already. The header says which of 256 slots it
 * touches, and what is in such a slot must be there: a delta that is lost denies, and never brings back what it took away.
 */
export const ACTIVE = 'active';
export const BOOT_ID = 'boot-id';
export const WRITER = 'writer';
/** Why there is no policy, once the last-known file was looked for in vain; empty before. */
export const NO_LAST_KNOWN = 'no-last-known';
/** What a module says that it can read; one from before deltas says nothing, and takes headers and rules as JSON only. */
export const LAYOUT = 2;
export const SLOTS = 256;

/** Whether a push may write or delete this key. A function, because njs would make a pattern anew for every request. */
export function isKey(text: string): boolean {
  return /^([0-9a-f]{12}(\*[46]|#[0-9a-f]{1,4}|![0-9a-f]{2}|([0-9a-f]{2}){2,15})|@[0-9a-f]{12}\/\/?[A-Za-z0-9][A-Za-z0-9._/-]{0,254})$/.test(
    text,
  );
}

/** As `isKey` says of every key that a zone holds; by two characters, because there can be a hundred thousand. */
export function mayBeKey(held: string): boolean {
  const first = held.charAt(0);
  return first === '@' || (held.length > 13 && ((first >= '0' && first <= '9') || (first >= 'a' && first <= 'f')));
}

/** Whether a push may write this value under that key. */
export function isValue(key: string, value: string): boolean {
  if (key.charAt(0) === '@') return isHeader(value);
  if (key.indexOf('#') > 0) return isRules(value);
  if (key.indexOf('!') > 0) return /^(,(\*[46]|[0-9a-f]{4,30})=\+?[0-9a-f]*)+$/.test(value);
  return /^\+?[0-9a-f]*$/.test(value);
}

export interface Active {
  generation: string;
  revision: number;
  hash: string;
}

/** What is read once a request. */
export interface Header {
  content: string;
  rules: string;
  /** null: every bucket is as in `content`. */
  delta: string | null;
  /** For each slot of a delta, whether it touches it: 0 or 1; empty without one. */
  slots: string;
  mode: Mode;
  protocol: 'http' | 'tcp';
  /**
   * `tcp:443:443`, or more of these with commas between them; read only where it is not the one port that was asked for.
   * A list where a driver before deltas wrote it.
   */
  ports: string | PortRange[];
  trustedProxies: IntervalTable | null;
}

export function formatActive(active: Active): string {
  return `${active.generation} ${active.revision} ${active.hash}`;
}

export function parseActive(text: string): Active | null {
  const parts = /^([0-9a-f]{12}) ([0-9]{1,15}) ([0-9a-f]{64})$/.exec(text);
  if (parts === null) return null;
  return { generation: parts[1] as string, revision: Number(parts[2]), hash: parts[3] as string };
}

export function headerKey(generation: string, bind: string): string {
  return `@${generation}/${bind}`;
}

export function classKey(rules: string, id: number): string {
  return `${rules}#${id.toString(16)}`;
}

export function slotKey(delta: string, slot: string): string {
  return `${delta}!${slot}`;
}

/** By its last digits: neighbours fall into different slots, so that none grows long. */
export function slotOf(bucket: string): string {
  return bucket.charAt(0) === '*' ? '00' : bucket.slice(-2);
}

/** A slot's value lists `,BUCKET=VALUE`; no value: the bucket is empty. null: it is as in the table that changed. */
export function changedBucket(slot: string, bucket: string): string | null {
  const name = `,${bucket}=`;
  const at = slot.indexOf(name);
  if (at < 0) return null;
  const from = at + name.length;
  const to = slot.indexOf(',', from);
  return to < 0 ? slot.slice(from) : slot.slice(from, to);
}

export function modeKey(bind: string): string {
  return `mode/${bind}`;
}

/**
 * `CONTENT RULES DELTA SLOTS MODE PROTOCOL PORTS PROXIES`, `-` for none. Not JSON: parsing that was a third of what a
 * verdict cost (measured).
 */
export function formatHeader(header: Header): string {
  const proxies = header.trustedProxies === null ? '-' : JSON.stringify(header.trustedProxies);
  const delta = header.delta === null ? '- -' : `${header.delta} ${header.slots}`;
  return `${header.content} ${header.rules} ${delta} ${header.mode} ${header.protocol} ${header.ports} ${proxies}`;
}

/** Throws where it is none. */
export function parseHeader(text: string): Header {
  if (text.charAt(0) === '{') return parseFormerHeader(text);
  const parts = text.split(' ');
  const delta = parts[2] as string;
  const proxies = parts[7] as string;
  return {
    content: parts[0] as string,
    rules: parts[1] as string,
    delta: delta === '-' ? null : delta,
    slots: parts[3] as string,
    mode: parts[4] as Mode,
    protocol: parts[5] as 'http' | 'tcp',
    ports: parts[6] as string,
    trustedProxies: proxies === '-' ? null : (JSON.parse(proxies) as IntervalTable),
  };
}

export function formatPorts(ports: PortRange[]): string {
  return ports.map((it) => `${it.protocol}:${it.from}:${it.to}`).join() || '-';
}

export function parsePorts(text: string | PortRange[]): PortRange[] {
  if (typeof text !== 'string') return text;
  if (text === '-') return [];
  return text.split(',').map((part) => {
    const words = part.split(':');
    return { protocol: words[0] as 'tcp' | 'udp', from: Number(words[1]), to: Number(words[2]) };
  });
}

/** As drivers before deltas wrote it; a zone outlives the module that it was written for. */
function parseFormerHeader(text: string): Header {
  const header = JSON.parse(text) as Header;
  header.rules = header.content;
  header.delta = null;
  return header;
}

function isHeader(text: string): boolean {
  try {
    const header = parseHeader(text);
    if (text.charAt(0) === '{') return /^[0-9a-f]{12}$/.test(header.content);
    return /^[0-9a-f]{12} [0-9a-f]{12} (- -|[0-9a-f]{12} [01]{256}) (enforce|observe|off) (http|tcp) (-|((tcp|udp):[0-9]+:[0-9]+,?)+) (-|{[^ ]+})$/.test(
      text,
    );
  } catch (_unreadable) {
    return false;
  }
}

/** The commonest class by far, one rule that allows on every port and any request, is `=ID`; every other is JSON. */
export function formatRules(rules: CompiledRule[]): string {
  const first = rules[0];
  const plain = rules.length === 1 && first !== undefined && isPlain(first);
  return plain ? `=${first.id}` : JSON.stringify(rules);
}

export function parseRules(text: string): CompiledRule[] {
  if (text.charAt(0) === '=') return [{ id: text.slice(1), action: 'allow', ports: null, http: null }];
  return JSON.parse(text) as CompiledRule[];
}

function isPlain(rule: CompiledRule): boolean {
  return rule.action === 'allow' && rule.ports === null && rule.http === null;
}

function isRules(text: string): boolean {
  if (text.charAt(0) === '=') return /^=[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text);
  try {
    return Array.isArray(JSON.parse(text));
  } catch (_noJson) {
    return false;
  }
}

export function rulesOfClass(object: CompiledObject, id: number): CompiledRule[] {
  return (object.classes[id] as number[]).map((index) => object.rules[index] as CompiledRule);
}
