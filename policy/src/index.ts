export type * from './compiled.ts';
export type * from './finding.ts';
export type * from './flow.ts';
