export type * from './host-layout.ts';
export { hostLayout } from './lay-out.ts';
export { NFLOG_GROUP } from './log-rule.ts';
