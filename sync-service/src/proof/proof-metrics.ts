import { metricGroup, type Registry } from '@edgeward/runtime';
import { type ObjectProof, PROOF_STATES } from './object-proof.ts';
import type { FailureKind } from './proof-finding.ts';

/** Proofs as Prometheus reads them: by point and object, which are names of the policy. */
export interface ProofMetrics {
  failed(point: string, object: string, kind: FailureKind): void;
}

export type PointProofs = readonly { point: string; proofs: readonly ObjectProof[] }[];

export function proofMetrics(registry: Registry, scraped: () => PointProofs): ProofMetrics {
  const group = metricGroup(registry);
  const each = (visit: (labels: { point: string; object: string }, proof: ObjectProof) => void): void => {
    for (const { point, proofs } of scraped())
      for (const proof of proofs) visit({ point, object: proof.object }, proof);
  };
  group.gauge(
    'edgeward_proof_state',
    '1 for the state of the proof of an object.',
    ['point', 'object', 'state'],
    (say) =>
      each((labels, proof) => {
        for (const state of PROOF_STATES) say({ ...labels, state }, proof.state === state ? 1 : 0);
      }),
  );
  group.gauge(
    'edgeward_proof_last_proven_timestamp_seconds',
    'When an object was last proven to be enforced; missing where it never was.',
    ['point', 'object'],
    (say) =>
      each((labels, { provenAtMs }) => {
        if (provenAtMs !== null) say(labels, provenAtMs / 1000);
      }),
  );
  const failures = group.counter(
    'edgeward_proof_failures_total',
    'Proofs of an object that failed since this process began, by what was wrong.',
    ['point', 'object', 'kind'],
  );
  return { failed: (point, object, kind) => failures.inc({ point, object, kind }) };
}
