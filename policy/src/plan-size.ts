import type { CompiledObject, CompiledPolicy, IntervalTable } from './compiled.ts';
import type { Resolution } from './resolve.ts';

/** How large a point's policy is. */
export interface PointSize {
  objects: number;
  rules: number;
  groups: number;
  /** Memberships: a workload in two groups counts twice. Where nobody is known by name, each address counts. */
  members: number;
  /** Of the compiled policy as JSON in UTF-8. */
  bytes: number;
}

export function sizeOfPoint(resolution: Resolution, policy: CompiledPolicy): PointSize {
  const rules: Record<string, true> = Object.create(null);
  const groups: Record<string, true> = Object.create(null);
  let bytes = JSON.stringify(Object.assign({}, policy, { objects: [] })).length;
  policy.objects.forEach((object, i) => {
    object.rules.forEach((rule) => {
      rules[rule.id] = true;
    });
    bytes += objectBytes(object) + (i === 0 ? 0 : 1);
  });
  let members = 0;
  resolution.rules.forEach((it) => {
    if (rules[it.rule.id] !== true) return;
    it.groups.forEach((group) => {
      if (groups[group.term] === true) return;
      groups[group.term] = true;
      members += group.memberCount;
    });
  });
  const count = (of: Record<string, true>): number => Object.keys(of).length;
  return { objects: policy.objects.length, rules: count(rules), groups: count(groups), members, bytes };
}

/** Tables are ASCII, so they are measured without being written. */
function objectBytes(object: CompiledObject): number {
  const rest = Object.assign({}, object, { sources: {}, trustedProxies: null, failsafe: null });
  let bytes = utf8Bytes(JSON.stringify(rest)) + tableBytes(object.sources);
  // What stands there now is `null`, and would be two braces.
  if (object.trustedProxies !== null) bytes += tableBytes(object.trustedProxies) - 2;
  if (object.failsafe !== null) bytes += tableBytes(object.failsafe) - 2;
  return bytes;
}

/** `"name":"value"` for each entry, with commas between them; without the braces. */
function tableBytes(table: IntervalTable): number {
  let bytes = 0;
  Object.keys(table).forEach((name) => {
    bytes += name.length + (table[name] as string).length + 6;
  });
  return Math.max(0, bytes - 1);
}

function utf8Bytes(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII is what is looked for.
  return /[^\x00-\x7f]/.test(text) ? encodeURIComponent(text).replace(/%../g, '-').length : text.length;
}
