/** How denials are printed: lines for a person, one JSON document a line, or a table for a spreadsheet. */
import type { Context } from '../frame/command.ts';
import { jsonText } from '../frame/terminal-text.ts';
import { csvHeader, csvRecord } from './denial-csv.ts';
import { denialLines, type ShownDenial } from './denial-line.ts';
import type { KnownDenials } from './denial-reading.ts';

export interface DenialForm {
  /** Equal ones may stand in one line, and there is room for words at the end. */
  readonly folds: boolean;
  begin(): Promise<void>;
  /** A person is shown `shown`, a program all that is known. */
  print(known: Pick<KnownDenials, 'raw'> | null, shown: readonly ShownDenial[]): Promise<void>;
}

export function denialForm({ json, flag, out, paint, now }: Context): DenialForm {
  if (json || flag('csv')) {
    const lineOf = json ? (it: object): string => `${jsonText(it)}\n` : csvRecord;
    return {
      folds: false,
      begin: () => out.write(json ? '' : csvHeader),
      print: (known) => out.write((known?.raw ?? []).map((it) => lineOf(it as Record<string, unknown>)).join('')),
    };
  }
  const lines = denialLines(paint);
  return {
    folds: true,
    begin: () => Promise.resolve(),
    print: (_, shown) => out.write(lines.text(shown, now())),
  };
}
