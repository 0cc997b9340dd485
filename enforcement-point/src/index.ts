export type * from './enforcement-point.ts';
