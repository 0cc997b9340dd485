/**
 * Changes of documents for people. Bounded, unless all of it is asked for: what is left out is counted, and a source whose
 * members nobody signs is never left out.
 */
import { counted, type Paint, printable } from '../../frame/terminal-text.ts';
import type { DocumentChanges, ReachChange } from './document-changes.ts';
import { byPart, type Fact } from './document-facts.ts';

const MAX_LINES = 200;
const MAX_CHARACTERS = 600;
const MAX_NAMES = 10;
/** Of one rule, beyond the bound; what they hold together is said before them. */
const MAX_KEPT = 10;

interface Line {
  text: string;
  /** Shown whatever the bound. */
  kept: boolean;
}

/** `title`: what is compared with what. */
export function documentText(changes: DocumentChanges, title: string, all: boolean, paint: Paint): string {
  const { added, removed, changed, reach } = changes;
  const numbers = [`${added.length} added`, `${removed.length} removed`, `${changed.length} changed`].join(', ');
  const lines = [
    ...changed.flatMap((it) => [
      {
        text: `${paint.warn('changed')}  ${printable(`${it.kind} ${it.name}`)}`,
        kept: isKept([...it.added, ...it.kept]),
      },
      ...changedLines(it, all, paint),
    ]),
    ...added.flatMap((it) => wholeLines('added', '+', it, all, paint)),
    ...removed.flatMap((it) => wholeLines('removed', '-', it, all, paint)),
    ...reach.flatMap((it) => reachLines(it, all, paint)),
  ];
  const head = `${printable(`Documents, ${title}: ${numbers}`)}\n`;
  return `${head}${bounded(lines, all, paint)
    .map((line) => `  ${line}\n`)
    .join('')}`;
}

function wholeLines(
  word: 'added' | 'removed',
  sign: '+' | '-',
  { kind, name, facts }: DocumentChanges['added'][number],
  all: boolean,
  paint: Paint,
): Line[] {
  const tone = word === 'added' ? paint.good : paint.bad;
  const marked = sign === '+';
  const head = { text: `${tone(word)}  ${printable(`${kind} ${name}`)}`, kept: marked && isKept(facts) };
  return [
    head,
    ...sectionLines(
      facts.map((fact) => ({ sign, fact })),
      all,
      paint,
    ),
  ];
}

function changedLines(
  { added, removed, kept }: DocumentChanges['changed'][number],
  all: boolean,
  paint: Paint,
): Line[] {
  const signed = [
    ...removed.map((fact) => ({ sign: '-', fact })),
    ...added.map((fact) => ({ sign: '+', fact })),
    ...kept.map((fact) => ({ sign: ' ', fact })),
  ];
  return sectionLines(signed, all, paint);
}

interface Signed {
  sign: string;
  fact: Fact;
}

/** Under each part of the document what is about it. */
function sectionLines(signed: readonly Signed[], all: boolean, paint: Paint): Line[] {
  return [...byPart(signed, ({ fact }) => fact)].flatMap(([where, within]) => {
    const indent = where === '' ? '  ' : '    ';
    const head = {
      text: `  ${cut(where, all)}`,
      kept: within.some(({ sign, fact }) => sign !== '-' && isKept([fact])),
    };
    let marked = 0;
    const lines = within.map(({ sign, fact }) => {
      const isMarked = sign !== '-' && isKept([fact]);
      if (isMarked) marked += 1;
      const text = `${indent}${signText(sign, paint)} ${factText(fact, sign, all, paint)}`;
      return { text, kept: isMarked && marked <= MAX_KEPT };
    });
    return where === '' ? lines : [head, ...lines];
  });
}

function factText({ text, fence }: Fact, sign: string, all: boolean, paint: Paint): string {
  const said = `${cut(text, all)}${sign === ' ' ? ' (as before)' : ''}`;
  return fence === null || sign === '-' ? said : `${said}  ${paint.warn(printable(fence))}`;
}

function reachLines({ rule, gained, lost, from }: ReachChange, all: boolean, paint: Paint): Line[] {
  const names = (listed: readonly string[]): string => {
    const shown = all ? listed : listed.slice(0, MAX_NAMES);
    const left = listed.length - shown.length;
    return `${shown.join(', ')}${left === 0 ? '' : ` and ${left} more; --all names them`}`;
  };
  const words = [
    ...(gained.length === 0 ? [] : [`is about ${names(gained)} from now on`]),
    ...(lost.length === 0 ? [] : [`is no longer about ${names(lost)}`]),
  ];
  const kept = gained.length > 0 && isKept(from);
  const terms = gained.length === 0 ? [] : from;
  return [
    { text: printable(`rule ${rule} ${words.join('; ')}`), kept },
    ...terms.map((fact, i) => ({
      text: `    ${factText(fact, '', all, paint)}`,
      kept: i < MAX_KEPT && isKept([fact]),
    })),
  ];
}

function signText(sign: string, paint: Paint): string {
  if (sign === ' ') return sign;
  return sign === '+' ? paint.good(sign) : paint.bad(sign);
}

function isKept(facts: readonly Fact[]): boolean {
  return facts.some(({ fence }) => fence !== null);
}

function cut(text: string, all: boolean): string {
  const left = text.length - MAX_CHARACTERS;
  if (all || left <= 0) return printable(text);
  return `${printable(text.slice(0, MAX_CHARACTERS))} … and ${counted(left, 'more character')}; --all shows them`;
}

function bounded(lines: readonly Line[], all: boolean, paint: Paint): string[] {
  const shown = all ? lines : lines.filter(({ kept }, i) => kept || i < MAX_LINES);
  const left = lines.length - shown.length;
  const texts = shown.map(({ text }) => text);
  return left === 0 ? texts : [...texts, paint.warn(`… and ${counted(left, 'more line')}; --all shows them`)];
}
