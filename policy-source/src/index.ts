export type { DirectoryWatch, DirectoryWatchOptions, WatchLogger } from './directory-watch.ts';
export { watchDirectory } from './directory-watch.ts';
export { documentsFromLines, maxLineBytes, ndjsonDocuments } from './ndjson-documents.ts';
export type { DocumentsRead } from './piece.ts';
export type { DirectoryReader, DirectoryReading } from './policy-directory.ts';
export { createDirectoryReader } from './policy-directory.ts';
export { yamlDocuments } from './yaml-documents.ts';
