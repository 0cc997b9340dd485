export { CALLS, type CallRecord, recordOf } from './calls.ts';
export { canonicalAddress, canonicalRecords, recordsOf, sameObject, sameRecords } from './canonical.ts';
export { createIcontrol, type IcontrolOptions } from './client.ts';
export { cleanText } from './failures.ts';
export type { Icontrol, Json } from './icontrol.ts';
export { objectPath } from './object-path.ts';
