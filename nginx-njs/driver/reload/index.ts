export { refuseUnsayable } from './refusal.ts';
export { createReloadPace, type ReloadPace } from './reload-pace.ts';
export { createReloadPoint, type ReloadPoint, type ReloadPointOptions } from './reload-point.ts';
export { type ReloadSnippetPaths, writeReloadSnippets } from './reload-snippets.ts';
