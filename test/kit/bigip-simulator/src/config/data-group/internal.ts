/** `ltm data-group internal`: what may be written when, and what stands afterwards. */
import type { Properties } from '../box-config.ts';
import { alreadyExists, invalidProperty, notInModify, typeChange } from '../mcpd-errors.ts';
import { type Box, isOld, type ObjectRules, type Write } from '../object-rules.ts';
import { partitionOf } from '../paths.ts';
import { oneOf, text, withoutAbsent } from '../property-values.ts';
import type { View } from '../state.ts';
import { parseRecordOptions } from './record-options.ts';
import { type DataRecord, GROUP_TYPES, type GroupType, recordsOf, withBatch, withMerged } from './records.ts';

export const internalGroup: ObjectRules = {
  properties(write, box, view) {
    refuseNamesake(write, view, 'ltm data-group external');
    const type = typeOf(write, box);
    const description = write.verb === 'modify' && !('description' in write.body) ? write.before : write.body;
    return withoutAbsent({
      type,
      description: text(description ?? {}, 'description'),
      records: recordsAfter(write, type, box),
    });
  },
};

/** Internal and external groups share their names. */
export function refuseNamesake({ verb, fullPath }: Write, view: View, other: string): void {
  if (verb === 'create' && view.get(other, fullPath) !== null)
    throw alreadyExists('value list', fullPath, partitionOf(fullPath));
}

const recordsIn = (properties: Properties | null): readonly DataRecord[] =>
  (properties?.records as readonly DataRecord[] | undefined) ?? [];

function typeOf({ verb, fullPath, body, before, origin }: Write, { version }: Box): GroupType {
  const said = oneOf(body, 'type', GROUP_TYPES);
  if (verb === 'create') {
    if (said === undefined) throw invalidProperty('type', body.type);
    return said;
  }
  const stands = oneOf(before ?? {}, 'type', GROUP_TYPES) ?? 'string';
  if (origin === 'rest' && isOld(version) && 'type' in body) throw notInModify('type');
  if (origin === 'rest' && !isOld(version) && verb === 'replace' && said === undefined)
    throw invalidProperty('type', body.type);
  if (said !== undefined && said !== stands && recordsIn(before).length > 0) throw typeChange(fullPath);
  return said ?? stands;
}

function recordsAfter(write: Write, type: GroupType, box: Box): readonly DataRecord[] {
  const { verb, fullPath, body, before, options, origin } = write;
  const target = { fullPath, partition: partitionOf(fullPath), type, emptyData: !isOld(box.version) };
  if (options !== undefined && options !== '') return withBatch(recordsIn(before), parseRecordOptions(options), target);
  if (verb === 'modify' && !('records' in body)) return recordsIn(before);
  if (origin === 'text' && verb === 'modify') return withMerged(recordsIn(before), body, target);
  return recordsOf(body, target);
}
