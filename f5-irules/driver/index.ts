export { type BigipPoint, type BigipPointOptions, createBigipPoint } from './bigip-point.ts';
export { type Bound, findHazards, type Hazard, type HazardCode } from './hazards.ts';
