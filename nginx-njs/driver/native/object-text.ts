import { type Column, isAllowed, type NativeObject, verdictWords } from './native-object.ts';
import type { Outcome } from './outcome.ts';
import { portNames } from './ports.ts';
import { geoLines } from './sources.ts';
import { type Key, literal, type MapLine, mapBlock, pattern, plainKey } from './text.ts';

/** The blocks of one object, and the lines that lead to them from its name and the port. */
export interface ObjectText {
  blocks: string;
  /** Of the map that gives `$edgeward_native`. */
  lines: MapLine[];
  /** A file of ranges that a block includes. */
  ranges: string | null;
}

interface Place {
  /** Names the variables of this object: a number. */
  index: string;
  rangesFile: string;
  twins: ReadonlySet<string>;
}

/** Longer methods than any server knows are asked about. */
const METHOD = /^[A-Z]{1,32}$/;

/**
 * For whoever asks elsewhere when nothing is said: `allow`, or empty. A key is `NAME PORT MARK`; there is no mark, and no
 * port where that of the listener counts. Whoever sends a mark makes it a key that is not there.
 */
export function allowText(it: NativeObject, place: Place): ObjectText {
  const { object, rows, columns } = it;
  if (object.mode === 'off')
    return { blocks: '', lines: [[pattern(`${literal(object.bind)} [0-9]* `), 'allow']], ranges: null };
  // With one kind of source the `geo` says the verdict itself: one look-up less a request.
  const isOne = rows.length === 1;
  const sources = sourceBlocks(it, place, (label) => (isOne ? 'allow' : label));
  const blocks = [sources.blocks];
  const ports: PortLine[] = [];
  for (const [i, column] of columns.entries()) {
    const cells = column.cells.map((cell, row) => cellText(cell, `${place.index}_${i}_${row}`));
    if (!column.cells.some(isAllowed)) continue;
    const isSaid = isOne && cells[0]?.value === 'allow';
    const name = `edgeward_p_${place.index}_${i}`;
    const lines = cells.map((cell, row): MapLine => [plainKey(isOne ? 'allow' : (rows[row] as string)), cell.value]);
    if (!isSaid) blocks.push(...cells.map((cell) => cell.blocks), mapBlock(sources.variable, name, '', lines));
    ports.push(...portLines(column, isSaid ? sources.variable : `$${name}`));
  }
  if (ports.length === 0) return { blocks: '', lines: [], ranges: null };
  const listener = `edgeward_q_${place.index}`;
  blocks.push(
    mapBlock(
      '$server_port',
      listener,
      '',
      ports.map(([port, value]): MapLine => [keyOf(port), value]),
    ),
  );
  const named = ports.map(([port, value]): MapLine => [nameKey(it, place, port, ' '), value]);
  const unnamed: MapLine = [nameKey(it, place, { text: '', isPattern: false }, ' '), `$${listener}`];
  return { blocks: blocks.join(''), lines: [...named, unnamed], ranges: sources.ranges };
}

/** For whoever has nobody to ask: every verdict, with reason and rule. */
export function everyText(it: NativeObject, place: Place): ObjectText {
  const { object, rows, columns } = it;
  if (object.mode === 'off') return { blocks: '', lines: [[anyPort(it), 'allow mode-off -']], ranges: null };
  const sources = sourceBlocks(it, place, (label) => label);
  const blocks = [sources.blocks];
  const lines: MapLine[] = [];
  for (const [i, column] of columns.entries()) {
    const name = `edgeward_p_${place.index}_${i}`;
    const cells = column.cells.map((cell, row): MapLine => [plainKey(rows[row] as string), wholeWords(cell)]);
    blocks.push(mapBlock(sources.variable, name, 'deny unknown-source -', cells));
    lines.push(...portLines(column, `$${name}`).map(([port, value]): MapLine => [nameKey(it, place, port, ''), value]));
  }
  const name = `edgeward_p_${place.index}_z`;
  const known = rows.map((row): MapLine => [plainKey(row), 'deny port-not-allowed -']);
  blocks.push(mapBlock(sources.variable, name, 'deny unknown-source -', known));
  return { blocks: blocks.join(''), lines: [...lines, [anyPort(it), `$${name}`]], ranges: sources.ranges };
}

function wholeWords(cell: Outcome): string {
  if (cell.state === 'said') return verdictWords(cell.verdict);
  throw new Error('a rule with conditions on the request has no native form; nativeRefusals names it');
}

/** Every port that the lines before it do not name. */
function anyPort({ object }: NativeObject): Key {
  return pattern(`${literal(object.bind)} .*`);
}

/** A number, or a pattern for many. */
interface PortName {
  text: string;
  isPattern: boolean;
}

type PortLine = readonly [PortName, string];

function portLines(column: Column, value: string): PortLine[] {
  const { names, pattern: ports } = portNames(column.stretches);
  const lines = names.map((text): PortLine => [{ text, isPattern: false }, value]);
  return ports === null ? lines : [...lines, [{ text: `(?:${ports})`, isPattern: true }, value]];
}

function keyOf({ text, isPattern }: PortName): Key {
  return isPattern ? pattern(text) : plainKey(text);
}

function nameKey({ object }: NativeObject, { twins }: Place, port: PortName, after: string): Key {
  const { bind } = object;
  const isPlain = !port.isPattern && !twins.has(bind.toLowerCase());
  return isPlain ? plainKey(`${bind} ${port.text}${after}`) : pattern(`${literal(bind)} ${port.text}${after}`);
}

function cellText(cell: Outcome, name: string): { blocks: string; value: string } {
  if (cell.state === 'unsayable') return { blocks: '', value: '' };
  if (cell.state === 'said') return { blocks: '', value: cell.verdict.verdict === 'allow' ? 'allow' : '' };
  const variable = `edgeward_m_${name}`;
  const entries = Object.entries(cell.methods).filter(([method]) => METHOD.test(method) && method !== 'CONNECT');
  const lines = entries.map(([method, { verdict }]): MapLine => [plainKey(method), verdict === 'allow' ? 'allow' : '']);
  // `$edgeward_native_method` is empty where the path is not plain to read; and this method is never judged.
  lines.push([{ key: '""', isPattern: false }, ''], [plainKey('CONNECT'), '']);
  const isWhole = Object.keys(cell.methods).every((method) => METHOD.test(method));
  const other = cell.other.verdict === 'allow' && isWhole ? 'allow' : '';
  return { blocks: mapBlock('$edgeward_native_method', variable, other, lines), value: `$${variable}` };
}

interface SourceText {
  blocks: string;
  variable: string;
  ranges: string | null;
}

function sourceBlocks(it: NativeObject, { index, rangesFile }: Place, labelOf: (label: string) => string): SourceText {
  const { ranges, cidrs } = geoLines(it.sources.map((one) => ({ ...one, label: labelOf(one.label) })));
  const byCidr = `edgeward_c_${index}`;
  const byRange = `edgeward_r_${index}`;
  const indented = cidrs.map((line) => `    ${line}\n`).join('');
  const cidrBlock = `geo $${byCidr} {\n    default "";\n${indented}}\n`;
  if (ranges.length === 0) return { blocks: cidrBlock, variable: `$${byCidr}`, ranges: null };
  // One include and nothing else: only then NGINX keeps its own binary form beside the file.
  const rangeBlock = `geo $${byRange} {\n    ranges;\n    default "";\n    include ${rangesFile};\n}\n`;
  const text = `${ranges.join('\n')}\n`;
  if (cidrs.length === 0) return { blocks: rangeBlock, variable: `$${byRange}`, ranges: text };
  const name = `edgeward_s_${index}`;
  const both = mapBlock(`$${byRange}`, name, `$${byRange}`, [[{ key: '""', isPattern: false }, `$${byCidr}`]]);
  return { blocks: cidrBlock + rangeBlock + both, variable: `$${name}`, ranges: text };
}
