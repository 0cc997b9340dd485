/** `ltm data-group external`: a name for a file. It has the file's type and shows none of its records. */
import { invalidProperty, notFound } from '../mcpd-errors.ts';
import type { ObjectRules } from '../object-rules.ts';
import { absolute, folderOf } from '../paths.ts';
import { text, withoutAbsent } from '../property-values.ts';
import { fileType } from './file.ts';
import { refuseNamesake } from './internal.ts';

export const externalGroup: ObjectRules = {
  properties(write, _box, view) {
    refuseNamesake(write, view, 'ltm data-group internal');
    const { fullPath, body, verb, before } = write;
    const all = verb === 'modify' ? { ...before, ...body } : body;
    const name = text(all, 'externalFileName');
    if (name === undefined) throw invalidProperty('externalFileName', body.externalFileName);
    const externalFileName = absolute(name, folderOf(fullPath));
    const file = view.get('sys file data-group', externalFileName);
    if (file === null) throw notFound('data group file', externalFileName);
    return withoutAbsent({ externalFileName, type: fileType(file), description: text(all, 'description') });
  },
  references: ({ properties }) => [{ family: 'file', fullPath: String(properties.externalFileName) }],
};
