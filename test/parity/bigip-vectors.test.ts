/**
 * Every vector whose object a BIG-IP can carry, through a simulated one: compiled, pushed over iControl REST, sent as a
 * connection, and compared in what the client saw, reason, rule and revision.
 */
import { compileDocuments, requireTclsh } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { type Vector, vectorFiles, vectorsOf } from '../../policy/test/vector-files.ts';
import { type JudgingBigip, startJudgingBigip } from './judging-bigip.ts';
import { carriersOf, groupsOf, pointOf } from './vector-carriers.ts';

const tclsh = await requireTclsh(t);
const judging = await startJudgingBigip(t, tclsh);
const ran = { bigip: 0, refused: 0 };

for (const file of vectorFiles) {
  t.test(`a BIG-IP judges the vectors of ${file} as they say`, async (t) => {
    const carried = vectorsOf(file).filter((vector) => carriersOf(vector).includes('BIG-IP'));
    for (const group of groupsOf(carried)) {
      const point = pointOf(group.vectors[0] as Vector);
      const policy = compileDocuments(group.policy, { revision: 0, now: group.now, point });
      const revision = await judging.load(policy);
      for (const vector of group.vectors) {
        const object = policy.objects.find(({ name }) => name === vector.connection.to);
        await prove(t, judging, vector, { revision, observed: object?.mode === 'observe' });
      }
    }
  });
}

t.test('how many vectors ran', async (t) => {
  const all = vectorFiles.flatMap(vectorsOf);
  const carried = all.filter((vector) => carriersOf(vector).includes('BIG-IP')).length;
  t.comment(`${all.length} vectors: ${ran.bigip} ran on BIG-IP (${ran.refused} refused by its front)`);
  t.equal(ran.bigip, carried, 'none was left out');
  t.ok(carried >= 500, 'a BIG-IP carries most of them');
});

async function prove(
  t: Test,
  bigip: JudgingBigip,
  { name, connection, expect, refusedByServer }: Vector,
  at: { revision: number; observed: boolean },
): Promise<void> {
  const { answer, event } = await bigip.judge(connection);
  ran.bigip += 1;
  // What NGINX refuses by itself, TMM may leave to the rules: then they must say what the vector says.
  if (refusedByServer === true && event === null && answer.state === 'reset') {
    ran.refused += 1;
    return;
  }
  const denied = expect.verdict === 'deny';
  const word = at.observed ? 'would-deny' : 'deny';
  const wanted = denied ? { verdict: word, reason: expect.reason, rule: expect.rule, revision: at.revision } : null;
  const found =
    event === null
      ? null
      : { verdict: event.verdict, reason: event.reason, rule: event.rule, revision: event.revision };
  t.strictSame(found, wanted, name);
  const passes = !denied || at.observed;
  t.equal(answer.state === 'answered' && answer.status !== 403, passes, `${name}: ${passes ? 'passes' : 'is denied'}`);
  if (answer.status === 403) t.equal(answer.ref, event?.ref, `${name}: the reference`);
}
