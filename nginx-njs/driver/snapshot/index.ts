export { diskOf, type SnapshotDisk } from './snapshot-disk.ts';
export { createSnapshotFolder, type SnapshotFolder, takenAtMs } from './snapshot-folder.ts';
