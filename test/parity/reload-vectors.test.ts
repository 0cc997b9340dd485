/**
 * Every vector whose object an NGINX without njs can judge, through real ones: compared in passing, reason, rule and
 * revision. The others are those that such an NGINX refuses as a whole; how many there are is told.
 */

import { parseDenyLine } from '@edgeward/deny-log';
import { nativeRefusals } from '@edgeward/nginx-njs';
import type { CompiledPolicy } from '@edgeward/policy';
import { compileDocuments, requireNginx } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { type Vector, vectorFiles, vectorsOf } from '../../policy/test/vector-files.ts';
import { type JudgingReload, startJudgingReload } from './judging-reload.ts';
import { mergedFlow, mergedName, mergedPolicy } from './merged-policy.ts';
import { answerOf, wantedAnswer } from './nginx-answer.ts';
import type { Judged } from './nginx-carriers.ts';
import { carriersOf, groupsOf, pointOf, type VectorGroup } from './vector-carriers.ts';

await requireNginx(t, 'debian-12', 'debian-13');
const carriers = await Promise.all([
  startJudgingReload(t, { edition: 'debian-12', transport: 'http' }),
  startJudgingReload(t, { edition: 'debian-13', transport: 'http' }),
  // NGINX 1.22 can't read the field of the PROXY protocol in which these tests name the object.
  startJudgingReload(t, { edition: 'debian-13', transport: 'stream' }),
]);
const ran: Record<string, { judged: number; refused: number; unsayable: number }> = {};
let revision = 0;

for (const file of vectorFiles)
  t.test(`NGINX without njs judges the vectors of ${file} as they say, or refuses them`, async (t) => {
    const groups = groupsOf(vectorsOf(file));
    const whole = mergedPolicy(groups.map(compiledGroup));
    const unsayable = new Set(nativeRefusals(whole).map(({ object }) => object));
    revision += 1;
    const objects = whole.objects.filter(({ name }) => !unsayable.has(name));
    const policy = { ...whole, revision, objects };
    await Promise.all(carriers.map((carrier) => proveAll(t, carrier, { policy, unsayable, groups })));
  });

t.test('how many vectors ran where', async (t) => {
  for (const { name, transport } of carriers) {
    const { judged, refused, unsayable } = ran[name] ?? { judged: 0, refused: 0, unsayable: 0 };
    t.comment(`${judged + refused} ran on ${name} (${refused} refused by NGINX itself); ${unsayable} it can not judge`);
    t.ok(judged >= { http: 100, stream: 10 }[transport], `${name}: enough of them ran (${judged})`);
  }
});

interface Proving {
  policy: CompiledPolicy;
  unsayable: ReadonlySet<string>;
  groups: VectorGroup[];
}

async function proveAll(t: Test, carrier: JudgingReload, { policy, unsayable, groups }: Proving): Promise<void> {
  await carrier.load(policy);
  const tally = ran[carrier.name] ?? { judged: 0, refused: 0, unsayable: 0 };
  ran[carrier.name] = tally;
  for (const [at, { vectors }] of groups.entries())
    for (const vector of vectors.filter((one) => isCarried(one, carrier))) {
      if (unsayable.has(mergedName(at, vector.connection.to))) tally.unsayable += 1;
      else tally[await prove(t, carrier, vector, { at, policy })] += 1;
    }
}

async function prove(
  t: Test,
  carrier: JudgingReload,
  { name, connection, expect, refusedByServer }: Vector,
  { at, policy }: { at: number; policy: CompiledPolicy },
): Promise<'judged' | 'refused'> {
  const flow = mergedFlow(at, connection);
  const wanted = wantedAnswer(policy, flow, expect, policy.revision);
  const judged = await carrier.judge(flow, wanted.event !== null);
  const claim = `${name} (${carrier.name})`;
  if (judged.refusedByServer) {
    t.ok(refusedByServer || expect.verdict === 'deny', `${claim}: NGINX refuses it`);
    return 'refused';
  }
  t.notOk(refusedByServer, `${claim}: NGINX does not refuse it`);
  t.strictSame(answerOf(asRead(judged)), wanted, claim);
  if (carrier.transport === 'http' && !wanted.passed) t.equal(judged.ref, judged.event?.ref, `${claim}: the reference`);
  return 'judged';
}

/** An empty rule is none to whoever reads the line. */
function asRead(judged: Judged): Judged {
  if (judged.event === null) return judged;
  const [record] = parseDenyLine(Buffer.from(JSON.stringify(judged.event))).records;
  return { ...judged, event: { ...judged.event, rule: record?.rule ?? null } };
}

function isCarried(vector: Vector, { transport }: JudgingReload): boolean {
  const kind = transport === 'http' ? 'nginx' : 'nginx stream';
  return carriersOf(vector).includes(kind) && vector.connection.port.startsWith('tcp/');
}

function compiledGroup({ policy, now, vectors }: VectorGroup): CompiledPolicy {
  return compileDocuments(policy, { revision: 0, now, point: pointOf(vectors[0] as Vector) });
}
