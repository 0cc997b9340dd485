/**
 * Every vector whose object NGINX can carry, through a real NGINX: compiled, pushed, sent as raw bytes, and compared in
 * status, reason, rule, revision and what NGINX counted. And all of them through `decide` in Node, beside it.
 */
import type { CompiledPolicy } from '@edgeward/policy';
import { compileDocuments, requireNginx } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { compileDocuments as judgeInNode } from '../../policy/test/compiled.ts';
import { type Vector, vectorFiles, vectorsOf } from '../../policy/test/vector-files.ts';
import { type JudgingEdge, startJudgingEdge } from './judging-edge.ts';
import { carriersOf, groupsOf, pointOf } from './vector-carriers.ts';

await requireNginx(t);
const judging = await startJudgingEdge(t);
const ran = { nginx: 0, refused: 0, node: 0 };
const notCarried: Record<string, number> = {};

for (const file of vectorFiles) {
  t.test(`a real NGINX judges the vectors of ${file} as they say`, async (t) => {
    const vectors = vectorsOf(file);
    const carried = vectors.filter((vector) => carriersOf(vector).includes('nginx'));
    for (const vector of vectors.filter((one) => !carried.includes(one))) {
      const kinds = carriersOf(vector).filter((kind) => kind !== 'node');
      const words = kinds.length === 0 ? 'no point: only http objects, asked over udp' : `${kinds.join(' or ')} only`;
      notCarried[words] = (notCarried[words] ?? 0) + 1;
    }
    for (const group of groupsOf(carried)) {
      const point = pointOf(group.vectors[0] as Vector);
      await proveGroup(
        t,
        judging,
        compileDocuments(group.policy, { revision: 0, now: group.now, point }),
        group.vectors,
      );
    }
  });

  t.test(`decide in Node judges the vectors of ${file} as they say`, async (t) => {
    for (const { name, policy, now, connection, expect } of vectorsOf(file)) {
      const { verdict, reason, rule } = judgeInNode(policy, now).decide(connection);
      t.strictSame({ verdict, reason, rule }, expect, name);
      ran.node += 1;
    }
  });
}

t.test('how many vectors ran where', async (t) => {
  const total = vectorFiles.flatMap(vectorsOf).length;
  const others = Object.values(notCarried).reduce((sum, count) => sum + count, 0);
  t.comment(
    `${total} vectors: ${ran.nginx} ran on nginx (${ran.refused} refused by NGINX itself), ${ran.node} on node`,
  );
  for (const [kinds, count] of Object.entries(notCarried)) t.comment(`${count} can be carried by ${kinds}`);
  t.strictSame([ran.nginx + others, ran.node], [total, total], 'none was left out');
  t.ok(ran.nginx >= 500, 'NGINX carries most of them');
});

async function proveGroup(t: Test, edge: JudgingEdge, policy: CompiledPolicy, vectors: Vector[]): Promise<void> {
  const revision = await edge.load(policy);
  await edge.counted();
  const counts: Record<string, number> = {};
  for (const vector of vectors) {
    const { to } = vector.connection;
    const object = policy.objects.find(({ name }) => name === to);
    const bind = object?.bind ?? to;
    const word = await prove(t, edge, vector, { revision, bind, observed: object?.mode === 'observe' });
    ran.nginx += 1;
    if (word === null) continue;
    const key = `${bind} ${word} ${vector.expect.reason}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  t.strictSame(await edge.counted(), counts, `counted as judged: ${vectors[0]?.name}`);
}

/** What NGINX should have counted it as; null where it never came to the hook. */
async function prove(
  t: Test,
  edge: JudgingEdge,
  vector: Vector,
  at: { revision: number; bind: string; observed: boolean },
): Promise<string | null> {
  const { name, connection, expect } = vector;
  const { answer, event, refusedByServer } = await edge.judge(connection);
  if (vector.refusedByServer === true) {
    ran.refused += 1;
    t.ok(refusedByServer && [400, 405].includes(answer.status), `${name}: NGINX refuses it (${answer.status})`);
    return null;
  }
  const denied = expect.verdict === 'deny';
  const word = !denied ? 'allow' : at.observed ? 'would-deny' : 'deny';
  const { reason, rule } = expect;
  const wanted = denied ? { verdict: word, reason, rule, revision: at.revision, object: at.bind } : null;
  const found = event === null ? null : pick(event);
  t.strictSame([answer.status, found], [word === 'deny' ? 403 : 200, wanted], name);
  t.equal(answer.headers['edgeward-ref'], word === 'deny' ? event?.ref : undefined, `${name}: the reference`);
  return word;
}

function pick(event: NonNullable<Awaited<ReturnType<JudgingEdge['judge']>>['event']>): object {
  const { verdict, reason, rule, revision, object } = event;
  return { verdict, reason, rule, revision, object };
}
