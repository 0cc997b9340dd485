export { groupName } from './data-groups.ts';
export { type LayoutMemo, layOut, withRepairs } from './lay-out.ts';
export * from './layout.ts';
export { entryText, type MapEntry, mapDescription, mapHashOf, type PolicyMap, readMap, repairsIn } from './map.ts';
