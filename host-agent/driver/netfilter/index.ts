export { type FoundNetfilter, findNetfilter, findRules } from './find-netfilter.ts';
export type { Flow } from './flows.ts';
export { type Backend, createNetfilter, type Netfilter } from './netfilter.ts';
export type { SavedChain, SavedRules } from './saved-rules.ts';
export type { SetHeader } from './saved-sets.ts';
export { createToolRun, type RunTool, type ToolAnswer, type ToolCall, type ToolRunOptions } from './tool-run.ts';
