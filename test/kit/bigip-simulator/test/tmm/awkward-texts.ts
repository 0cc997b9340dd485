/** Texts that Tcl would like to read as code or as structure: the same ones at each run. */
const AWKWARD = [
  '',
  '{',
  '}',
  '[exit]',
  '$x',
  '"',
  '\\',
  '\\\n',
  '\n',
  '\r\n',
  ';',
  '#',
  ' ',
  '\t',
  '{*}$x',
  '\0',
  '\xff',
  '\\x',
  '}{',
  '{a} b',
  '-',
  '\x1a',
  '\x85',
  '\xa0',
];

export function awkwardTexts(count: number): string[] {
  const texts = [...AWKWARD];
  let seed = 20_261_122;
  const next = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % below;
  };
  while (texts.length < count) {
    let text = '';
    for (let length = next(12); length >= 0; length--)
      text += next(3) === 0 ? (AWKWARD[next(AWKWARD.length)] ?? '') : String.fromCharCode(next(256));
    texts.push(text);
  }
  return texts;
}
