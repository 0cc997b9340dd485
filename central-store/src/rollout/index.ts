export { DEFAULT_ROLLOUT, type RolloutConfig, rolloutSchema, type WaveConfig } from './config.ts';
export { DECISIONS, type Decision } from './decisions.ts';
export { createRollout, type Rollout, type RolloutOptions } from './rollout.ts';
export type { RolloutStatus, WaveStatus } from './status.ts';
