export { createNginxPoint, type NginxPoint, type NginxPointOptions, type VerdictCounts } from './nginx-point.ts';
export * from './server/index.ts';
export { type SnippetPaths, writeSnippets } from './snippets.ts';
