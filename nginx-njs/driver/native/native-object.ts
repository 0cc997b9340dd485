import type { CompiledObject, CompiledRule, Verdict } from '@edgeward/policy';
import { type Outcome, outcomeOf } from './outcome.ts';
import { type Stretch, stretchesOf } from './ports.ts';
import { type Labels, labelled } from './sources.ts';

/**
 * One object as a table: rows are the kinds of sources that are judged alike on every port, columns the ports on which
 * every row is judged alike. Rows of which nothing is to be said are left out.
 */
export interface NativeObject {
  object: CompiledObject;
  sources: Labels[];
  /** Labels of the rows, in the order of every column's cells. */
  rows: string[];
  columns: Column[];
}

export interface Column {
  stretches: Stretch[];
  cells: Outcome[];
}

/** `every`: all verdicts. `allow`: those that let in; whoever reads the rest asks elsewhere. */
export type Answers = 'every' | 'allow';

export function nativeObject(object: CompiledObject, answers: Answers): NativeObject {
  // A datagram is never a connection: it has ports of its own, and only the stream module has it.
  const isStream = object.protocol === 'tcp';
  const stretches = [...stretchesOf(object, 'tcp'), ...(isStream ? stretchesOf(object, 'udp') : [])];
  const classes = object.classes.map((_, id) =>
    stretches.map((stretch) => outcomeOf(object, rulesOf(object, id), stretch)),
  );
  const { rows, rowOf } = distinctRows(classes, answers);
  const sources = labelled(object, (id) => rowOf[id] ?? null);
  return { object, sources, rows: [...rows.keys()], columns: columnsOf(stretches, [...rows.values()]) };
}

export function isAllowed(outcome: Outcome): boolean {
  if (outcome.state === 'unsayable') return false;
  if (outcome.state === 'said') return outcome.verdict.verdict === 'allow';
  return [outcome.other, ...Object.values(outcome.methods)].some(({ verdict }) => verdict === 'allow');
}

/** `allow REASON RULE`, with `-` for no rule. */
export function verdictWords({ verdict, reason, rule }: Verdict): string {
  return `${verdict} ${reason} ${rule ?? '-'}`;
}

/** By label, in the order of classes; and the label of each class, null for one that is left out. */
function distinctRows(
  classes: Outcome[][],
  answers: Answers,
): { rows: Map<string, Outcome[]>; rowOf: (string | null)[] } {
  const labels = new Map<string, string>();
  const rows = new Map<string, Outcome[]>();
  const rowOf = classes.map((cells) => {
    if (answers === 'allow' && !cells.some(isAllowed)) return null;
    const text = textOf(cells, answers);
    const label = labels.get(text) ?? `r${labels.size.toString(36)}`;
    if (!labels.has(text)) rows.set(label, cells);
    labels.set(text, label);
    return label;
  });
  return { rows, rowOf };
}

function columnsOf(stretches: Stretch[], rows: Outcome[][]): Column[] {
  const columns = new Map<string, Column>();
  for (const [i, stretch] of stretches.entries()) {
    const cells = rows.map((row) => row[i] as Outcome);
    const text = textOf(cells, 'every');
    const column = columns.get(text) ?? { stretches: [], cells };
    column.stretches.push(stretch);
    columns.set(text, column);
  }
  return [...columns.values()];
}

/** Equal where they are written equally: which rule let somebody in is told by nobody who tells of allows alone. */
function textOf(cells: Outcome[], answers: Answers): string {
  const wordOf = (verdict: Verdict): string => (answers === 'every' ? verdictWords(verdict) : verdict.verdict);
  return JSON.stringify(
    cells.map((cell) => {
      if (cell.state === 'unsayable') return null;
      if (cell.state === 'said') return wordOf(cell.verdict);
      return [wordOf(cell.other), Object.entries(cell.methods).map(([method, verdict]) => [method, wordOf(verdict)])];
    }),
  );
}

function rulesOf(object: CompiledObject, id: number): CompiledRule[] {
  return (object.classes[id] ?? []).map((index) => object.rules[index] as CompiledRule);
}
