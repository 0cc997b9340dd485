export { defaultCacheDir } from './cache-folder.ts';
export { type FetchPackagesOptions, fetchPackages } from './fetch.ts';
export { type FindNatsServerOptions, findNatsServer, type NatsServerCommand } from './nats-server.ts';
export { lastWords, type ProgramRun, runProgram } from './program-run.ts';
export { type FindPrometheusOptions, findPrometheus, type PrometheusCommands } from './prometheus.ts';
export { type FindTclshOptions, findTclsh, type TclshCommand } from './tclsh.ts';
export { keptTree, runThroughLoader, type Suite, type UnpackedTree } from './unpacked-tree.ts';
