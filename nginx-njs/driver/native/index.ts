export { type NativeRefusal, nativeRefusals } from './refusals.ts';
export { type NativeOptions, type NativeSnapshot, nativeSnapshot } from './snapshot.ts';
export { nativeSnapshotAside } from './snapshot-aside.ts';
