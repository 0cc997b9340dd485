/** About how much memory a compiled policy takes, without walking or serialising all of it. */
import type { CompiledPolicy } from '@edgeward/policy';

/** What an object, a rule or an array element costs beside its text, measured roughly on V8. */
const elementBytes = 64;

export function weigh(policy: CompiledPolicy): number {
  let bytes = elementBytes;
  for (const object of policy.objects) {
    bytes += elementBytes * (4 + object.rules.length * 4);
    for (const rules of object.classes) bytes += elementBytes + rules.length * 8;
    for (const table of [object.sources, object.trustedProxies ?? {}, object.failsafe ?? {}])
      bytes += weighTable(table);
  }
  return bytes;
}

/** Keys and values are ASCII: one byte a character. */
function weighTable(table: Record<string, string>): number {
  let bytes = 0;
  for (const [key, value] of Object.entries(table)) bytes += elementBytes + key.length + value.length;
  return bytes;
}
