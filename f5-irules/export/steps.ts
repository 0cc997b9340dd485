/** What the steps of a procedure are made of: paragraphs, and blocks of commands. */
import type { Surplus } from './change.ts';
import { surplusCommands } from './commands.ts';

export interface Step {
  title: string;
  /** Paragraphs; an indented line is a command. */
  body: string[];
}

/** Several commands as one block. */
export function commands(lines: readonly string[]): string {
  return lines.map((line) => `    ${line}`).join('\n');
}

/** In prose, what a box called something: one line, and no markup. */
export function plain(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ').replace(/[\\`*_[\]<>|#]/g, '\\$&');
}

export function surplusBody(surplus: readonly Surplus[]): string[] {
  const { lines, unsayable } = surplusCommands(surplus);
  return [
    'A merge adds records and replaces them; it takes none away. Where a box answers that one of them was not found, it is gone already.',
    ...(lines.length === 0 ? [] : [commands(lines)]),
    ...unsayable.map(
      (fullPath) => `In ${fullPath}, records with names that no command can say: delete them in the GUI.`,
    ),
  ];
}
