export type { DenyCounter } from './deny-counters.ts';
export { createHostPoint, type HostPoint, type HostPointOptions } from './host-point.ts';
export { type HostOptions, NFLOG_GROUP } from './layout/index.ts';
export {
  type Backend,
  createNetfilter,
  createToolRun,
  type FoundNetfilter,
  findNetfilter,
  findRules,
  type Netfilter,
  type RunTool,
  type ToolAnswer,
  type ToolCall,
  type ToolRunOptions,
} from './netfilter/index.ts';
export { type HostCounters, hostCounters, type OutgoingCounter } from './outgoing-counters.ts';
export { type Removal, removeHost } from './remove-host.ts';
