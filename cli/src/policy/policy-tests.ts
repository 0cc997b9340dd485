/** `edgeward test DIR`: the tests that the policies bring along, against what they say now. */
import {
  describeFlow,
  explain,
  type Flow,
  identitiesOf,
  type ObjectViews,
  POLICY_ERRORS,
  pointViews,
  runPolicyTests,
  type TestResult,
} from '@edgeward/policy';
import { sha256Hex } from '@edgeward/runtime';
import type { Command, Context } from '../frame/command.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { printable } from '../frame/terminal-text.ts';
import { type PolicyReading, placeOf } from './policy-reading.ts';
import { readSoundPolicy } from './sound-policy.ts';

export const test: Command = {
  name: 'test',
  summary: "Run the policies' own tests.",
  help: {
    examples: [
      { line: 'edgeward test policies', says: 'Judge every flow under `tests:` and compare with its `expect`.' },
      { line: 'edgeward check policies && edgeward test policies', says: 'What a pipeline runs before a merge.' },
    ],
    usage: ['DIR [--json]'],
    about: ['JSON: {passed, failed, results: [{policy, flow, expect, got, passed, file, line}]}.'],
    exits: { 0: 'every test passed, or there are none', 3: 'a test failed, or the policy has errors' },
  },
  args: ['DIR'],
  options: {},
  run: runTests,
};

async function runTests(context: Context): Promise<ExitCode> {
  const reading = await readSoundPolicy(context, context.args[0] ?? '');
  if (reading === null) return 3;
  const views = pointViews(reading.resolution, sha256Hex);
  const { results } = runPolicyTests(reading.resolution, views, false);
  const passed = results.filter((result) => result.passed).length;
  const failed = results.length - passed;
  if (context.json) await context.printJson({ passed, failed, results });
  else await printResults(context, reading, results, wordsFor(reading, views));
  return failed > 0 ? 3 : 0;
}

async function printResults(
  { out, err, paint }: Context,
  reading: PolicyReading,
  results: TestResult[],
  words: (flow: Flow) => string,
): Promise<void> {
  const failed = results.filter((result) => !result.passed).length;
  const lines = results.map((result) => {
    const place = placeOf(reading.directory, result);
    const flow = describeFlow(result.flow);
    if (result.passed) return `${paint.good('ok  ')}  ${printable(`${place}  ${flow}: ${result.expect}`)}\n`;
    const said = printable(`${place}  ${flow}: expected ${result.expect}, got ${result.got.verdict}`);
    return `${paint.bad('FAIL')}  ${said}\n      ${printable(words(result.flow))}\n`;
  });
  const tally = `${results.length - failed} passed, ${failed} failed`;
  const mend = failed > 0 ? `${POLICY_ERRORS.EDW_ERR_TEST_FAILED}\n` : '';
  await out.write(`${lines.join('')}${failed > 0 ? paint.bad(tally) : paint.good(tally)}\n${mend}`);
  if (results.length === 0) await err.write('No policy has `tests:`; add some, they guard every later edit.\n');
}

function wordsFor({ resolution }: PolicyReading, views: ObjectViews): (flow: Flow) => string {
  const identities = identitiesOf(resolution);
  return (flow) => explain(identities, views.forObject(flow.to), flow).words;
}
