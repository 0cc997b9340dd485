/** `edgeward check DIR`: every finding of a policy directory, at once. It judges no flow and writes nothing. */
import type { Command, Context } from '../frame/command.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { findingsText, summaryText } from './finding-text.ts';
import { findCompileErrors, type PolicyReading, readPolicy } from './policy-reading.ts';

export const check: Command = {
  name: 'check',
  summary: 'Read, validate and lint a policy directory.',
  help: {
    examples: [
      { line: 'edgeward check policies', says: 'Print every error and warning, with file, line and mend.' },
      { line: 'edgeward check policies --json', says: 'The same as one JSON document, for a pipeline.' },
    ],
    usage: ['DIR [--json]'],
    about: [
      'DIR is read recursively: *.yaml, and *.ndjson with one document per line.',
      'JSON: {findings: [{severity, code, file, line, column, message, mend}], errors, warnings, files, objects, rules, complete}; `file` is relative to DIR.',
    ],
    exits: {
      0: 'no errors; warnings never change it',
      3: 'there are errors',
      78: 'DIR cannot be read (EDW_ERR_POLICY_DIR)',
    },
  },
  args: ['DIR'],
  options: {},
  run: runCheck,
};

async function runCheck(context: Context): Promise<ExitCode> {
  const reading = withCompileErrors(await readPolicy(context, context.args[0] ?? ''));
  if (context.json) await context.printJson(documentOf(reading));
  else {
    await context.out.write(findingsText(reading, context.paint) + summaryText(reading, context.paint));
    if (reading.files === 0) await context.err.write('There is no *.yaml and no *.ndjson file in it.\n');
  }
  return reading.errors > 0 ? 3 : 0;
}

function withCompileErrors(reading: PolicyReading): PolicyReading {
  if (reading.errors > 0) return reading;
  const found = findCompileErrors(reading.resolution);
  return { ...reading, findings: [...reading.findings, ...found], errors: found.length };
}

function documentOf({ findings, errors, warnings, files, resolution, complete }: PolicyReading): unknown {
  const objects = resolution.objects.length;
  return { findings, errors, warnings, files, objects, rules: resolution.rules.length, complete };
}
