/** Proofs of enforcement, as PromQL: one series for each object, whoever tells it. */
import { ofPoint } from './selectors.ts';

/** 1 for objects whose proof is in one of these states. */
export const proofIs = (states: string): string =>
  `max by (point, object) (${ofPoint('edgeward_proof_state', `state=~"${states}"`)})`;

/** When each object was proven last, in Unix time. Nothing for one that never was. */
export const lastProven: string = `max by (point, object) (${ofPoint('edgeward_proof_last_proven_timestamp_seconds')})`;
