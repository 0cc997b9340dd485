/**
 * The books of a point, as PromQL: what it observed is what is stored, what is a gap, and what waits. Each daemon that has a
 * ledger keeps its own; of a service and the collector that it relays to, the larger one is shown.
 */
import { ofPoint } from './selectors.ts';

const own = (name: string): string => `sum by (instance, point) (${ofPoint(name)})`;

export const byPoint = (name: string): string => `max by (point) (${own(name)})`;

/** 0 where the metric is not there: a point that has no gap yet, or nothing stored. */
const orNothing = (name: string): string => `(${own(name)} or ${own('edgeward_observed_denials_total')} * 0)`;

const left = ['edgeward_ledger_denials_total', 'edgeward_gap_denials', 'edgeward_pending_denials'].map(orNothing);

/** Denials that are nowhere, by point. */
export const unaccounted: string = `max by (point) (abs(${[own('edgeward_observed_denials_total'), ...left].join(' - ')}))`;

const gaps = ofPoint('edgeward_gap_denials');

/** Denials that became a gap in the range. Negative where more were taken back than came. */
export const newGaps: string = `sum(max by (point, cause) (${gaps} - (${gaps} offset $__range or min_over_time(${gaps}[$__range]))))`;
