/**
 * Label selectors, read and asked in one go: each grammar rule gives a predicate over labels. `!` binds before `&&`
 * before `||`. Assumes a valid selector and throws on any other.
 */

export type Labels = Record<string, string>;

export interface KubernetesSelector {
  matchLabels?: Labels;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

export type Selector = string | KubernetesSelector;
type Predicate = (labels: Labels) => boolean;

// A key such as `constructor` must not find what every JavaScript object inherits.
const labelOf = (labels: Labels, key: string): string | undefined =>
  Object.hasOwn(labels, key) ? labels[key] : undefined;

const TOKEN = /\s*(==|!=|&&|\|\||[!(){},]|'[^']*'|[A-Za-z0-9][A-Za-z0-9._/-]*)/y;

const tokens = (text: string): string[] => {
  const found: string[] = [];
  TOKEN.lastIndex = 0;
  const end = text.trimEnd().length;
  for (let at = 0; at < end; at = TOKEN.lastIndex) {
    const token = TOKEN.exec(text)?.[1];
    if (token === undefined) throw new Error(`the oracle reads no selector in ${text} from ${at}`);
    found.push(token);
  }
  return found;
};

const read = (text: string): Predicate => {
  const rest = tokens(text);
  const next = (): string => rest.shift() ?? '';
  const expect = (token: string): void => {
    if (next() !== token) throw new Error(`the oracle misses ${token} in ${text}`);
  };
  const value = (): string => next().slice(1, -1);

  const set = (): string[] => {
    expect('{');
    const values = [value()];
    while (rest[0] === ',') {
      next();
      values.push(value());
    }
    expect('}');
    return values;
  };

  const comparison = (key: string): Predicate => {
    const operator = next();
    if (operator === '==' || operator === '!=') {
      const wanted = value();
      return (labels) => (labelOf(labels, key) === wanted) === (operator === '==');
    }
    if (operator === 'not') expect('in');
    const wanted: (string | undefined)[] = set();
    return (labels) => wanted.includes(labelOf(labels, key)) === (operator === 'in');
  };

  const unary = (): Predicate => {
    const token = next();
    if (token === '!') {
      const operand = unary();
      return (labels) => !operand(labels);
    }
    if (token === '(') {
      const inside = either();
      expect(')');
      return inside;
    }
    if (rest[0] !== '(') return comparison(token);
    expect('(');
    const key = token === 'has' ? next() : null;
    expect(')');
    return (labels) => key === null || labelOf(labels, key) !== undefined;
  };

  const both = (): Predicate => {
    const operands = [unary()];
    while (rest[0] === '&&') {
      next();
      operands.push(unary());
    }
    return (labels) => operands.every((operand) => operand(labels));
  };

  const either = (): Predicate => {
    const operands = [both()];
    while (rest[0] === '||') {
      next();
      operands.push(both());
    }
    return (labels) => operands.some((operand) => operand(labels));
  };

  const whole = either();
  if (rest.length > 0) throw new Error(`the oracle has ${rest.join(' ')} left of ${text}`);
  return whole;
};

const kubernetesMatches = (selector: KubernetesSelector, labels: Labels): boolean =>
  Object.entries(selector.matchLabels ?? {}).every(([key, wanted]) => labelOf(labels, key) === wanted) &&
  (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
    const found = labelOf(labels, key);
    if (operator === 'Exists') return found !== undefined;
    if (operator === 'DoesNotExist') return found === undefined;
    if (operator === 'In') return found !== undefined && values.includes(found);
    if (operator === 'NotIn') return found === undefined || !values.includes(found);
    throw new Error(`the oracle knows no operator ${operator}`);
  });

export const selects = (selector: Selector, labels: Labels): boolean =>
  typeof selector === 'string' ? read(selector)(labels) : kubernetesMatches(selector, labels);
