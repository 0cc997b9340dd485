import type { AddressKey } from '@edgeward/policy';
import type { DenialDetails, DenyLog } from './deny-log.ts';
import { recordDenial } from './deny-log.ts';
import { foldZone } from './fold-zone.ts';
import type { Foldable } from './folding.ts';
import { foldingOf } from './folding.ts';
import { detailsOf } from './request-details.ts';

/** What every denied request needs, folded or not: here stands no more, for njs pays by the function. */

/** The reference is all that a denied client learns. */
export function refuse(r: NginxHTTPRequest, ref: string): string {
  const headers = r.headersOut;
  r.variables.edgeward_ref = ref;
  headers['Edgeward-Ref'] = ref;
  headers['Content-Type'] = 'text/plain';
  headers['Cache-Control'] = 'no-store';
  return 'deny';
}

/** Writes the deny event, or adds it to those that are told by their number, and returns its reference. */
export function recordRequest(
  r: NginxHTTPRequest,
  denial: Foldable,
  peer: AddressKey | null,
  target: () => string | undefined,
): string {
  const variables = r.variables;
  const log: DenyLog = {
    counts: ngx.shared.edgeward_counts as NgxSharedDict<number>,
    file: variables.edgeward_deny_log as string,
    folding: foldingOf(foldZone('edgeward_folds'), variables.edgeward_fold_after, variables.edgeward_fold_seconds),
    complain: (message) => r.error(message),
  };
  return recordDenial(log, denial, (): DenialDetails => detailsOf(r, peer, target()));
}
