/**
 * Random directories and flows: a real NGINX against the oracle, which shares no line with it. What the oracle denies
 * never gets a 200; what it allows is let through, or refused by NGINX itself for a reason that is listed.
 */
import type { Flow } from '@edgeward/policy';
import { compileDocuments, requireNginx } from '@edgeward/test/kit';
import fc from 'fast-check';
import t from 'tap';
import { arbitraryDirectory, arbitraryFlow, NOW } from '../../policy/test/generators/documents.ts';
import { oracle } from '../../policy/test/oracle/oracle.ts';
import { startJudgingEdge } from './judging-edge.ts';
import { runs, seed } from './random-runs.ts';
import { nginxRefuses } from './server-refusals.ts';

interface Loose {
  kind: string;
  name: string;
  point?: string;
  protocol?: string;
  mode?: string;
}

const FLOWS_A_DIRECTORY = 6;

/** Objects of another kind of point are none at NGINX, and what is asked over UDP never comes there. */
const carries = (documents: unknown[], flow: Flow): boolean => {
  const object = (documents as Loose[]).find(
    ({ kind, name, point }) => name === flow.to && (kind === 'VirtualServer' || point !== undefined),
  );
  const http = object === undefined || (object.kind === 'VirtualServer' && object.protocol !== 'tcp');
  // NGINX reads 255.255.255.255 as no address (INADDR_NONE); no TCP peer has it.
  return http && flow.port.startsWith('tcp/') && !flow.from.endsWith('255.255.255.255');
};

const hasHttpServer = (documents: unknown[]): boolean =>
  (documents as Loose[]).some(({ kind, protocol }) => kind === 'VirtualServer' && protocol !== 'tcp');

const asked = arbitraryDirectory()
  .filter(hasHttpServer)
  .chain((documents) => {
    const flow = arbitraryFlow(documents).filter((one) => carries(documents, one));
    return fc.tuple(
      fc.constant(documents),
      fc.array(flow, { minLength: FLOWS_A_DIRECTORY, maxLength: FLOWS_A_DIRECTORY }),
    );
  });

await requireNginx(t);

t.test('random directories and flows: a real NGINX judges as the oracle does', async (t) => {
  const judging = await startJudgingEdge(t);
  const chosen = seed();
  const numRuns = runs(100);
  const seen: Record<string, number> = {};
  t.comment(`EDGEWARD_SEED=${chosen} repeats this run; ${numRuns} directories of ${FLOWS_A_DIRECTORY} flows`);

  const property = fc.asyncProperty(asked, async ([documents, flows]) => {
    const policy = compileDocuments(documents, { revision: 0, now: NOW });
    await judging.load(policy);
    for (const flow of flows) {
      const expect = oracle(documents, NOW, flow);
      const { answer, event, refusedByServer } = await judging.judge(flow);
      const what = JSON.stringify({ flow, expect, status: answer.status, event });
      if (refusedByServer) {
        seen['refused by NGINX'] = (seen['refused by NGINX'] ?? 0) + 1;
        if (!nginxRefuses(flow)) throw new Error(`refused for a reason that is not listed: ${what}`);
        continue;
      }
      seen[expect.reason] = (seen[expect.reason] ?? 0) + 1;
      const observed = policy.objects.find(({ name }) => name === flow.to)?.mode === 'observe';
      const status = expect.verdict === 'allow' || observed ? 200 : 403;
      if (answer.status !== status) throw new Error(`wanted ${status}: ${what}`);
      const found = event === null ? { verdict: 'allow' } : { verdict: 'deny', reason: event.reason, rule: event.rule };
      const wanted = expect.verdict === 'allow' ? { verdict: 'allow' } : expect;
      if (JSON.stringify(found) !== JSON.stringify(wanted)) throw new Error(`another answer: ${what}`);
    }
  });
  await fc.assert(property, { seed: chosen, numRuns });
  t.comment(JSON.stringify(seen));
  t.ok((seen['allowed-by-rule'] ?? 0) > 0 && (seen['unknown-source'] ?? 0) > 0, 'it came to allows and denials');
});
