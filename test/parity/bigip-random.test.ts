/**
 * Random directories and flows: a simulated BIG-IP with the pushed configuration against the oracle, which shares no line
 * with it. Verdict, reason and rule must be the same; what the front refuses by itself, for a listed reason, counts as denied.
 */
import type { Flow } from '@edgeward/policy';
import { compileDocuments, requireTclsh } from '@edgeward/test/kit';
import fc from 'fast-check';
import t from 'tap';
import { arbitraryDirectory, arbitraryFlow, NOW } from '../../policy/test/generators/documents.ts';
import { oracle } from '../../policy/test/oracle/oracle.ts';
import { frontRefuses } from './bigip-refusals.ts';
import { type JudgedByBigip, startJudgingBigip } from './judging-bigip.ts';
import { runs, seed } from './random-runs.ts';

interface Loose {
  kind: string;
  name: string;
  point?: string;
  protocol?: string;
}

const FLOWS_A_DIRECTORY = 6;

/** A host's objects are none here, and a virtual server of `protocol: http` is asked over TCP alone. */
const carries = (documents: unknown[], flow: Flow): boolean => {
  const object = (documents as Loose[]).find(
    ({ kind, name, point }) => name === flow.to && (kind === 'VirtualServer' || point !== undefined),
  );
  if (object?.kind === 'Workload') return false;
  return object?.protocol === 'tcp' || flow.port.startsWith('tcp/');
};

const asked = arbitraryDirectory()
  .filter((documents) => (documents as Loose[]).some(({ kind }) => kind === 'VirtualServer'))
  .chain((documents) => {
    const flow = arbitraryFlow(documents).filter((one) => carries(documents, one));
    return fc.tuple(
      fc.constant(documents),
      fc.array(flow, { minLength: FLOWS_A_DIRECTORY, maxLength: FLOWS_A_DIRECTORY }),
    );
  });

const tclsh = await requireTclsh(t);

t.test('random directories and flows: a BIG-IP judges as the oracle does', async (t) => {
  const judging = await startJudgingBigip(t, tclsh);
  const chosen = seed();
  const numRuns = runs(60);
  const seen: Record<string, number> = {};
  t.comment(`EDGEWARD_SEED=${chosen} repeats this run; ${numRuns} directories of ${FLOWS_A_DIRECTORY} flows`);
  const property = fc.asyncProperty(asked, async ([documents, flows]) => {
    const policy = compileDocuments(documents, { revision: 0, now: NOW });
    await judging.load(policy);
    for (const flow of flows) {
      const expect = oracle(documents, NOW, flow);
      const judged = await judging.judge(flow);
      const observed = policy.objects.find(({ name }) => name === flow.to)?.mode === 'observe';
      const what = JSON.stringify({ flow, expect, ...judged });
      // The connection may have been judged, and observed, before the front read the request.
      if (judged.answer.state === 'reset' && frontRefuses(flow) && (judged.event === null || observed)) {
        seen['refused by its front'] = (seen['refused by its front'] ?? 0) + 1;
        continue;
      }
      seen[expect.reason] = (seen[expect.reason] ?? 0) + 1;
      const problem = differs(expect, judged, observed);
      if (problem !== null) throw new Error(`${problem}: ${what}`);
    }
  });
  await fc.assert(property, { seed: chosen, numRuns });
  t.comment(JSON.stringify(seen));
  t.ok((seen['allowed-by-rule'] ?? 0) > 0 && (seen['unknown-source'] ?? 0) > 0, 'it came to allows and denials');
});

function differs(
  expect: { verdict: string; reason: string; rule: string | null },
  { answer, event }: JudgedByBigip,
  observed: boolean,
): string | null {
  const passed = answer.state === 'answered' && answer.status !== 403;
  if (passed !== (expect.verdict === 'allow' || observed)) return passed ? 'passed' : 'did not pass';
  if (expect.verdict === 'allow') return event === null ? null : 'an event of what is allowed';
  return event?.reason === expect.reason && event.rule === expect.rule ? null : 'another answer';
}
