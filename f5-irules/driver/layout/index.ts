export { groupName, nameOf } from './data-groups.ts';
export { type LayoutMemo, layOut } from './lay-out.ts';
export * from './layout.ts';
export { entryText, type MapEntry, type MapHead, mapHashOf, mapRecords, type PolicyMap, readMap } from './map.ts';
