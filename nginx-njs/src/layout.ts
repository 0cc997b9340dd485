import type { CompiledObject, CompiledRule, IntervalTable, Mode, PortRange } from '@edgeward/policy';

/**
 * How a policy lies in NGINX's shared dictionary. The module reads it and the driver writes it; this file is all they
 * have in common.
 *
 *   active                     `GENERATION REVISION HASH`: the single write that switches a policy on
 *   @GENERATION/BIND           JSON of one object's header; its `content` leads to the tables
 *   CONTENT + bucket           a value of the object's interval table
 *   CONTENT#CLASS              JSON list of the rules that name the sources of one class
 *   boot-id                    made anew with the zone, so that a push can't straddle a restart
 *   writer                     who pushed last, so that two drivers never mix their pushes
 *   mode/BIND                  mode of an object as last known before the policy was lost
 *
 * GENERATION and CONTENT are the first 12 hex digits of the policy's and the object's hash: equal content is written
 * once and shared by all generations. Keys of up to 16 bytes take 128 bytes of the zone, longer ones 256 (measured).
 */
export const ACTIVE = 'active';
export const BOOT_ID = 'boot-id';
export const WRITER = 'writer';
/** Why there is no policy, once the last-known file was looked for in vain; empty before. */
export const NO_LAST_KNOWN = 'no-last-known';

const ID_DIGITS = 12;

/** Whether a push may write or delete this key. A function, because njs would make a pattern anew for every request. */
export function isKey(text: string): boolean {
  return /^([0-9a-f]{12}(\*[46]|#[0-9a-f]{1,4}|([0-9a-f]{2}){2,15})|@[0-9a-f]{12}\/\/?[A-Za-z0-9][A-Za-z0-9._/-]{0,254})$/.test(
    text,
  );
}

export interface Active {
  generation: string;
  revision: number;
  hash: string;
}

/** What is read once a request. */
export interface Header {
  content: string;
  mode: Mode;
  protocol: 'http' | 'tcp';
  ports: PortRange[];
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

export function idOf(hash: string): string {
  return hash.slice(0, ID_DIGITS);
}

export function headerKey(generation: string, bind: string): string {
  return `@${generation}/${bind}`;
}

export function classKey(content: string, id: number): string {
  return `${content}#${id.toString(16)}`;
}

export function modeKey(bind: string): string {
  return `mode/${bind}`;
}

export function headerOf(object: CompiledObject): Header {
  return {
    content: idOf(object.hash),
    mode: object.mode,
    protocol: object.protocol,
    ports: object.ports,
    trustedProxies: object.trustedProxies,
  };
}

export function rulesOfClass(object: CompiledObject, id: number): CompiledRule[] {
  return (object.classes[id] as number[]).map((index) => object.rules[index] as CompiledRule);
}
