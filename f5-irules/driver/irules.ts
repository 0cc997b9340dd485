import { readFile } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PARTITION } from './layout/index.ts';

/** The two rules, as they stand on a box. The version in a name grows when a text changes what it reads. */
export interface EnforcementRule {
  name: string;
  /** `/Edgeward/eg_enforce_l4_v1` */
  fullPath: string;
  text: string;
}

export interface EnforcementRules {
  l4: EnforcementRule;
  l7: EnforcementRule;
}

const L4_RULE = 'eg_enforce_l4_v1';
const L7_RULE = 'eg_enforce_l7_v1';

export async function enforcementRules(): Promise<EnforcementRules> {
  const read = (file: string): Promise<string> => readFile(join(rulesFolder(), file), 'utf8');
  const [l4, l7, inBoth] = await Promise.all(['eg_enforce_l4.tcl', 'eg_enforce_l7.tcl', 'eg_in_both.tcl'].map(read));
  const rule = (name: string, text: string): EnforcementRule => {
    // The box trims a rule's text; what is compared with it later must be trimmed too.
    return { name, fullPath: `/${PARTITION}/${name}`, text: `${text}${inBoth}`.trim() };
  };
  return { l4: rule(L4_RULE, l4 ?? ''), l7: rule(L7_RULE, l7 ?? '') };
}

/** Beside this file in the source, two levels up from what is built. */
function rulesFolder(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const root = here.endsWith(join('dist', 'driver')) ? join(here, '..', '..') : dirname(here);
  return `${root}${sep}irules`;
}
