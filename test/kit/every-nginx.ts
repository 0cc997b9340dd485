/**
 * Claims that hold on every NGINX that a policy can be pushed to. A test file names a claim once; it is proved on each
 * edition, side by side in one process, so that another edition costs an NGINX and not another load of everything.
 */
import type { TAP, Test } from 'tap';
import { type Edge, type EdgeOptions, startEdge, type Teardown } from './edge.ts';
import { liveEditions, type NginxEditionName } from './nginx-edition-names.ts';
import { editionOfEnvironment, requireNginx } from './real-nginx.ts';

export interface OnNginx {
  readonly edition: NginxEditionName;
  /** `startEdge` on this edition. */
  startEdge(t: Teardown, options?: EdgeOptions): Promise<Edge>;
}

/** Registers a test for each edition, named after both. */
export type Claim = (claim: string, prove: (t: Test, on: OnNginx) => Promise<unknown>) => void;

/**
 * Where an edition can't be had the file is skipped with the reason, but never in CI. EDGEWARD_NGINX_EDITION leaves the
 * others out.
 */
export async function onEveryNginx(t: TAP, editions: readonly NginxEditionName[] = liveEditions): Promise<Claim> {
  const only = editionOfEnvironment();
  const chosen = only === null ? editions : [only];
  await requireNginx(t, ...chosen);
  t.jobs = chosen.length;
  return (claim, prove) => {
    for (const edition of chosen) {
      const on: OnNginx = { edition, startEdge: (own, options) => startEdge(own, { edition, ...options }) };
      // Buffered is what tap calls a test that may run beside others.
      void t.test(`${claim} (${edition})`, { buffered: true }, (t) => prove(t, on));
    }
  };
}
