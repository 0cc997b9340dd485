import type { CompiledObject, CompiledPolicy, CompiledRule, IntervalTable } from './compiled.ts';
import type { LoadedPolicy, ObjectView } from './decide.ts';
import { lookup } from './interval-table.ts';
import { listsPort } from './ports.ts';

/** A compiled policy in memory, ready to be judged by; objects are found by their names. */
export function viewOf(policy: CompiledPolicy): LoadedPolicy {
  const objects: Record<string, ObjectView> = Object.create(null);
  policy.objects.forEach((object) => {
    objects[object.name] = viewOfObject(object);
  });
  return { loaded: true, revision: policy.revision, object: (name) => objects[name] ?? null };
}

function viewOfObject(object: CompiledObject): ObjectView {
  const classRules: (CompiledRule[] | undefined)[] = [];
  return {
    protocol: object.protocol,
    mode: object.mode,
    lists: (port) => listsPort(object.ports, port),
    trusts: (peer) => holds(object.trustedProxies, peer),
    inFailsafe: (source) => holds(object.failsafe, source),
    rulesNaming: (source) => {
      const id = lookup((name) => object.sources[name], source);
      if (id < 0) return null;
      const known = classRules[id];
      if (known !== undefined) return known;
      const rules = (object.classes[id] as number[]).map((index) => object.rules[index] as CompiledRule);
      classRules[id] = rules;
      return rules;
    },
  };
}

/** Whether an interval table (or none) covers the address. */
export function holds(table: IntervalTable | null, key: string): boolean {
  return table !== null && lookup((name) => table[name], key) >= 0;
}
