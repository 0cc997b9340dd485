/** Names of points become parts of paths and subjects: what is no name never gets there. */
import { isName } from '@edgeward/policy-format';
import { storeFailure } from './failures.ts';

/** Throws EDW_ERR_STORE_NO_POINT. */
export function checkPointName(point: string): void {
  if (isName(point)) return;
  throw storeFailure('EDW_ERR_STORE_NO_POINT', 'asking a store for a point: what was asked for is no name of a point');
}
