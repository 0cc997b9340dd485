export type * from './host-layout.ts';
export { enforces, hostLayout, prepareLayout } from './lay-out.ts';
export { NFLOG_GROUP } from './log-rule.ts';
export { generationCount, type InForce, markArgs } from './mark.ts';
