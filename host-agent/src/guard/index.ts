export { createGuard, type GuardOptions } from './guard.ts';
