export { groupName } from './data-groups.ts';
export { type LayoutMemo, layOut } from './lay-out.ts';
export * from './layout.ts';
export { entryText, type MapEntry, mapDescription, mapHashOf, type PolicyMap, readMap } from './map.ts';
