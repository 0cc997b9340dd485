export type { DirectoryWatch, DirectoryWatchOptions, WatchLogger } from './directory-watch.ts';
export { watchDirectory } from './directory-watch.ts';
export { documentsFromLines, maxLineBytes, maxNdjsonBytes, ndjsonDocuments } from './ndjson-documents.ts';
export type { DocumentsRead, LocatedDocument, PathPart, Position } from './piece.ts';
export type { DirectoryReader, DirectoryReading } from './policy-directory.ts';
export { createDirectoryReader } from './policy-directory.ts';
export { maxYamlBytes, yamlDocuments } from './yaml-documents.ts';
export { maxDepth } from './yaml-tree.ts';
