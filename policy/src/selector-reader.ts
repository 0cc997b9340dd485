import type { Fields } from './field-reader.ts';
import { describe, isMapping, openFields, readList, readString } from './field-reader.ts';
import type { LabelCondition, Selector } from './selector.ts';
import { both, condition, type TOO_WIDE } from './selector.ts';
import { isLabelKey, isLabelValue, parseSelector } from './selector-parser.ts';

/** A selector field in either spelling: the boolean string, or Kubernetes' `matchLabels` and `matchExpressions`. */
const OPERATORS: Record<string, LabelCondition['op']> = {
  In: 'in',
  NotIn: 'not-in',
  Exists: 'exists',
  DoesNotExist: 'absent',
};

export function readSelector(fields: Fields, key: string): Selector {
  const value = fields.raw(key);
  if (isMapping(value)) return readKubernetes(fields, key, value);
  if (typeof value !== 'string') {
    fields.report('EDW_ERR_SELECTOR', key, `'${key}' must be a selector, not ${describe(value)}`);
    return [];
  }
  const parsed = parseSelector(value);
  if ('selector' in parsed) return parsed.selector;
  fields.report('EDW_ERR_SELECTOR', key, `${describe(value)}, character ${parsed.at + 1}: ${parsed.error}`);
  return [];
}

function readKubernetes(fields: Fields, key: string, value: Record<string, unknown>): Selector {
  let selector: Selector | typeof TOO_WIDE = [[]];
  const inner = openFields(value, [], [], ['matchLabels', 'matchExpressions'], (code, path, message) =>
    fields.report(code, [key as string | number].concat(path), message),
  );
  if (inner === null) return [];
  const add = (it: LabelCondition | null): void => {
    if (it !== null) selector = both(selector, [[it]]);
  };
  let count = 0;
  if (inner.has('matchLabels')) {
    const labels = inner.raw('matchLabels');
    if (!isMapping(labels)) inner.report('EDW_ERR_SELECTOR', 'matchLabels', `'matchLabels' must be a mapping`);
    else {
      Object.keys(labels).forEach((label) => {
        count += 1;
        add(readMatch(inner, ['matchLabels', label], label, 'in', [labels[label]]));
      });
    }
  }
  readList(inner, 'matchExpressions', true, (entry, path) => {
    count += 1;
    add(readExpression(inner, entry, path));
    return null;
  });
  if (count === 0) inner.report('EDW_ERR_SELECTOR', '', 'the selector is empty; everything is `all()`');
  return selector as Selector;
}

function readExpression(inner: Fields, entry: unknown, path: (string | number)[]): LabelCondition | null {
  const fields = openFields(entry, [], ['key', 'operator'], ['values'], (code, at, message) =>
    inner.report(code, path.concat(at), message),
  );
  if (fields === null) return null;
  const key = readString(fields, 'key', '');
  const operator = readString(fields, 'operator', '');
  const op = Object.prototype.hasOwnProperty.call(OPERATORS, operator) ? OPERATORS[operator] : undefined;
  if (op === undefined) {
    if (fields.has('operator'))
      fields.report(
        'EDW_ERR_CHOICE',
        'operator',
        `'operator' must be ${Object.keys(OPERATORS).join(', ')}, not ${describe(fields.raw('operator'))}`,
      );
    return null;
  }
  const values = fields.raw('values');
  const listed = Array.isArray(values) ? values : [];
  const wantsValues = op === 'in' || op === 'not-in';
  const none = values === undefined || (Array.isArray(values) && values.length === 0);
  if (wantsValues ? listed.length === 0 : !none) {
    fields.report(
      'EDW_ERR_SELECTOR',
      'values',
      wantsValues ? `'${operator}' needs 'values'` : `'${operator}' takes no 'values'`,
    );
    return null;
  }
  return readMatch(inner, path, key, op, listed);
}

function readMatch(
  fields: Fields,
  path: (string | number)[],
  key: string,
  op: LabelCondition['op'],
  values: unknown[],
): LabelCondition | null {
  let good = true;
  if (!isLabelKey(key)) {
    fields.report('EDW_ERR_LABEL', path, `${describe(key)} is no label key`);
    good = false;
  }
  values.forEach((value) => {
    if (typeof value === 'string' && isLabelValue(value)) return;
    good = false;
    fields.report(
      typeof value === 'string' ? 'EDW_ERR_LABEL' : 'EDW_ERR_LABEL_NOT_STRING',
      path,
      `${describe(value)} is no label value`,
    );
  });
  return good ? condition(key, op, values as string[]) : null;
}
