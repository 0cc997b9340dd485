/**
 * Mutants of a TypeScript source, found without a parser: strings and comments are blanked, then operators are looked
 * for as Biome spaces them, so that `<` of a type is never taken for a comparison. Nothing here runs anything.
 */
export interface Mutant {
  file: string;
  line: number;
  at: number;
  from: string;
  to: string;
  /** The line before and after, trimmed. */
  was: string;
  becomes: string;
}

/** Each comparison loses its border, and is turned round. */
const OPERATORS: Record<string, string[]> = {
  ' <': [' <=', ' >='],
  ' >': [' >=', ' <='],
  ' <=': [' <', ' >'],
  ' >=': [' >', ' <'],
  ' ===': [' !=='],
  ' !==': [' ==='],
  ' &&': [' ||'],
  ' ||': [' &&'],
  ' +': [' -'],
  ' -': [' +'],
  ' *': [' +'],
  ' >>': [' <<'],
  true: ['false'],
  false: ['true'],
};

const OPERATOR = / (?:===|!==|<=|>=|<|>|&&|\|\||\+|-|\*|>>)(?=\s)|\b(?:true|false)\b/g;
/** `loaded: true;` in an interface. */
const TYPE = /: (?:true|false);$/;

/** Strings, templates and comments as blanks of the same length; neither file holds a regular expression. */
function blanked(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g, (text) =>
    text.replace(/[^\n]/g, '\0'),
  );
}

export function mutantsOf(file: string, source: string): Mutant[] {
  const code = blanked(source);
  const out: Mutant[] = [];
  const add = (at: number, from: string, to: string): void => {
    const start = source.lastIndexOf('\n', at) + 1;
    const end = source.indexOf('\n', at + from.length);
    out.push({
      file,
      line: source.slice(0, at).split('\n').length,
      at,
      from,
      to,
      was: source.slice(start, end).trim(),
      becomes: `${source.slice(start, at)}${to}${source.slice(at + from.length, end)}`.trim(),
    });
  };
  for (const { 0: from, index } of code.matchAll(OPERATOR)) {
    if (TYPE.test(code.slice(index - 2, index + from.length + 1))) continue;
    for (const to of OPERATORS[from] ?? []) add(index, from, to);
  }
  for (const { index } of code.matchAll(/!(?=[A-Za-z(])/g)) add(index, '!', '');
  for (const { 0: from, index } of code.matchAll(/(?<![\w.])\d+(?![\w.])/g)) {
    add(index, from, String(Number(from) + 1));
    // A step of nothing only loops for ever.
    if (Number(from) > 0 && !/[+-]= $/.test(code.slice(0, index))) add(index, from, String(Number(from) - 1));
  }
  for (const { 0: from, index } of source.matchAll(/(?<=because\()'(?:allow|deny)'/g)) {
    add(index, from, from === "'allow'" ? "'deny'" : "'allow'");
  }
  return out.sort((a, b) => a.at - b.at);
}

/** Some of them, chosen by the seed alone, in their order. */
export function sampled(mutants: Mutant[], count: number, seed: number): Mutant[] {
  let state = seed >>> 0;
  const left = mutants.slice();
  const picked: Mutant[] = [];
  while (picked.length < count && left.length > 0) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    picked.push(...left.splice(Math.floor((state / 2 ** 32) * left.length), 1));
  }
  return mutants.filter((it) => picked.includes(it));
}
