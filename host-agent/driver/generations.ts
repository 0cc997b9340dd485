/**
 * The generation that a policy gets. Numbers come again after all others, and a flow may be idle for that long: one that still
 * carries the number would pass unjudged. So a number that a flow carries is passed over.
 */
import type { Family, HostLayout, HostOptions } from './layout/host-layout.ts';
import { generationCount, type InForce, markArgs } from './layout/index.ts';
import type { Netfilter } from './netfilter/index.ts';

/** Each look costs a program a family. */
const MAX_LOOKS = 16;

export async function freshLayout(
  { netfilter, options }: { netfilter: Netfilter; options: HostOptions },
  layoutFor: (inForce: InForce | null) => HostLayout,
  inForce: InForce | null,
  taken: ReadonlySet<number>,
): Promise<HostLayout> {
  const looks = Math.min(MAX_LOOKS, generationCount(options.mark) - 1);
  let layout = layoutFor(inForce);
  for (let tries = 0; tries < looks; tries += 1) {
    if (!taken.has(layout.generation) && !(await isCarried(netfilter, options, layout.generation))) return layout;
    layout = layoutFor({ hash: '', generation: layout.generation });
  }
  // So many idle flows of so many policies: of those that remain the oldest.
  return taken.has(layout.generation) ? layoutFor({ hash: '', generation: layout.generation }) : layout;
}

async function isCarried(netfilter: Netfilter, { mark }: HostOptions, generation: number): Promise<boolean> {
  if (mark === null) return false;
  const value = markArgs(mark, generation).match.at(-1);
  const carried = async (family: Family): Promise<boolean> => (await netfilter.flows(family, value)).length > 0;
  // Where conntrack is not installed the numbers come again after all others, and no more can be said.
  const looks = await Promise.all(netfilter.families.map((family) => carried(family).catch(() => false)));
  return looks.includes(true);
}
