/**
 * Random directories and flows: a real packet filter against the oracle, which shares no line with it. A host is asked from
 * every address that a packet can come from.
 */
import { parseAddress } from '@edgeward/policy';
import { compileDocuments, requireHosts } from '@edgeward/test/kit';
import fc from 'fast-check';
import t from 'tap';
import { arbitraryDirectory, arbitraryFlow, NOW } from '../../policy/test/generators/documents.ts';
import { oracle } from '../../policy/test/oracle/oracle.ts';
import { startJudgingHost } from './judging-host.ts';
import { runs, seed } from './random-runs.ts';

interface Loose {
  kind: string;
  name: string;
  point?: string;
  mode?: string;
}

const FLOWS_A_DIRECTORY = 40;
/** Of these, in two of three directories: most flows are denied, and a few directories could come to next to none that pass. */
const LEAST_ALLOWED = 3;

const isHost = ({ kind, point }: Loose): boolean => kind === 'Workload' && point !== undefined;
const enforces = (documents: Loose[], { point, mode }: Loose): boolean =>
  mode === 'enforce' && documents.some(({ kind, name }) => kind === 'Point' && name === point);

const isAllowed = (documents: Loose[], flow: Parameters<typeof oracle>[2]): boolean =>
  documents.some((one) => isHost(one) && one.name === flow.to && enforces(documents, one)) &&
  oracle(documents, NOW, flow).verdict === 'allow';

/** Each with a host that enforces: of one that does not, everything passes. */
const anything = arbitraryDirectory()
  .filter((documents) => (documents as Loose[]).some((one) => isHost(one) && enforces(documents as Loose[], one)))
  .chain((documents) => {
    const behindNoBalancer = (documents as Loose[]).filter(({ kind }) => kind !== 'VirtualServer');
    const flow = arbitraryFlow(behindNoBalancer).filter(({ from }) => wireAddress(from) !== null);
    return fc.tuple(
      fc.constant(documents as Loose[]),
      fc.array(flow, { minLength: FLOWS_A_DIRECTORY, maxLength: FLOWS_A_DIRECTORY }),
    );
  });
const letsIn = anything.filter(
  ([documents, flows]) => flows.filter((flow) => isAllowed(documents, flow)).length >= LEAST_ALLOWED,
);
const asked = fc.oneof({ weight: 1, arbitrary: anything }, { weight: 2, arbitrary: letsIn });

/** As `ip` takes it; null where no packet can come from. */
function wireAddress(text: string): string | null {
  const key = parseAddress(text) ?? '';
  if (key.length === 8) {
    const bytes = (key.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16));
    const first = bytes[0] ?? 0;
    return first === 0 || first === 127 || first >= 224 || bytes.join('.').startsWith('172.31.255.')
      ? null
      : bytes.join('.');
  }
  return /^[23]/.test(key) ? (key.match(/.{4}/g) ?? []).join(':') : null;
}

requireHosts(t);
// What is not answered takes its time, on each host.
t.jobs = 2;
const seeds = seed();

for (const lane of [1, 2])
  t.test(`random directories and flows: a host judges as the oracle does (${lane})`, async (t) => {
    const judging = await startJudgingHost(t, 'nft');
    const chosen = seeds + lane;
    const numRuns = runs(6);
    const seen = { allow: 0, deny: 0 };
    t.comment(`EDGEWARD_SEED=${seeds} repeats this run; ${numRuns} directories of ${FLOWS_A_DIRECTORY} flows`);
    const property = fc.asyncProperty(asked, async ([documents, flows]) => {
      for (const host of documents.filter(isHost)) {
        const own = flows.filter(({ to }) => to === host.name);
        const policy = compileDocuments(documents, { revision: 1, now: NOW, point: host.point ?? '' });
        const [object] = policy.objects;
        if (own.length === 0 || object?.mode !== 'enforce' || object.failsafe === null) continue;
        await judging.load(policy);
        const passed = await judging.judge(own.map(({ from, port }) => ({ from: wireAddress(from) ?? '', port })));
        own.forEach((flow, index) => {
          const expect = oracle(documents, NOW, flow);
          seen[expect.verdict] += 1;
          const what = JSON.stringify({ flow, expect, passed: passed[index] });
          if (passed[index] !== (expect.verdict === 'allow')) throw new Error(what);
        });
      }
    });
    await fc.assert(property, { seed: chosen, numRuns });
    t.comment(JSON.stringify(seen));
    t.ok(seen.allow > 5 && seen.deny > 5, 'it came to allows and denials');
  });
