/**
 * `sys file data-group`: a file that was uploaded becomes part of the configuration. It is checked as a whole when it is
 * taken over; afterwards only its checksum can be read, not its records.
 */
import { createHash } from 'node:crypto';
import { BoxError, type ConfigObject, type Properties } from '../box-config.ts';
import { invalidProperty } from '../mcpd-errors.ts';
import type { Box, ObjectRules, Write } from '../object-rules.ts';
import { oneOf, text, withoutAbsent } from '../property-values.ts';
import type { Draft } from '../state.ts';
import { readGroupFile } from './file-lines.ts';
import { GROUP_TYPES, type GroupType } from './records.ts';

const DOWNLOADS = 'file:/var/config/rest/downloads/';

export const groupFile: ObjectRules = {
  properties(write, box) {
    const { body, before } = write;
    const type = typeOf(write);
    const separator = text(body, 'separator') ?? text(before ?? {}, 'separator') ?? ':=';
    const sourcePath = text(body, 'sourcePath');
    const shared = { type, separator, description: text({ ...before, ...body }, 'description') };
    if (sourcePath === undefined) {
      if (before === null) throw invalidProperty('sourcePath', body.sourcePath);
      return withoutAbsent({ ...before, ...shared });
    }
    const source = uploaded(sourcePath, box);
    checkContent(write.fullPath, source, type, separator);
    return withoutAbsent({ ...shared, sourcePath, ...stamps(source, before, box) });
  },
  beside(object, draft, box) {
    // The content is taken when the object is written, so that later changes of the upload do not show.
    const { sourcePath, checksum } = object.properties;
    const source = typeof sourcePath === 'string' ? box.uploads.get(sourcePath.slice(DOWNLOADS.length)) : undefined;
    if (source !== undefined && checksumOf(source) === checksum)
      draft.putFile(object.fullPath, source.toString('utf8'));
  },
  removal: (fullPath: string, draft: Draft) => draft.putFile(fullPath, null),
};

export const fileType = (file: ConfigObject): GroupType => oneOf(file.properties, 'type', GROUP_TYPES) ?? 'string';

function typeOf({ body, before }: Write): GroupType {
  const type = oneOf({ ...before, ...body }, 'type', GROUP_TYPES);
  if (type === undefined) throw invalidProperty('type', body.type);
  return type;
}

function uploaded(sourcePath: string, { uploads }: Box): Buffer {
  const source = sourcePath.startsWith(DOWNLOADS) ? uploads.get(sourcePath.slice(DOWNLOADS.length)) : undefined;
  if (source !== undefined) return source;
  const path = sourcePath.replace(/^file:/, '');
  throw new BoxError(400, `01070712:3: Unable to open the source file (${path}), No such file or directory.`);
}

function checkContent(fullPath: string, source: Buffer, type: GroupType, separator: string): void {
  const read = readGroupFile(source.toString('utf8'), type, separator);
  if (read.state === 'refused') {
    const { line, reason } = read.problem;
    throw new BoxError(400, `01070711:3: Error parsing data group file (${fullPath}) at line ${line}: ${reason}`);
  }
  if (read.records === 0) throw new BoxError(400, `01070711:3: The data group file (${fullPath}) is empty.`);
}

function stamps(source: Buffer, before: Properties | null, box: Box): Properties {
  // The box writes whole seconds.
  const now = `${box.now().toISOString().slice(0, 19)}Z`;
  const revision = typeof before?.revision === 'number' ? before.revision + 1 : 1;
  return {
    checksum: checksumOf(source),
    createTime: before?.createTime ?? now,
    createdBy: before?.createdBy ?? 'admin',
    lastUpdateTime: now,
    mode: 33188,
    revision,
    size: source.length,
    updatedBy: 'admin',
  };
}

const checksumOf = (source: Buffer): string =>
  `SHA1:${source.length}:${createHash('sha1').update(source).digest('hex')}`;
