export {
  createNginxProcess,
  type NginxProcess,
  type NginxProcessOptions,
  type NginxWorkers,
  type Reload,
} from './nginx-process.ts';
export type { ProcessId } from './proc-table.ts';
