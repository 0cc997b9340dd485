export { createGuard, type GuardOptions, type GuardTiming, type Repair } from './guard.ts';
