export { defaultCacheDir } from '@edgeward/debian-packages';
export { debianNginx } from './debian-nginx.ts';
export { type FindNginxOptions, findNginx } from './find.ts';
export type { NginxBinary, NginxCandidate, NginxOrigin } from './nginx-binary.ts';
export type { Listener } from './readiness.ts';
export { type NginxExit, type RunningNginx, type StartNginxOptions, startNginx } from './start.ts';
export { testConfig } from './test-config.ts';
export { type Versions, versionsOf } from './versions.ts';
