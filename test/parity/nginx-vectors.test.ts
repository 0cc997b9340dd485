/**
 * Every vector whose object NGINX can carry, through every real NGINX in the table: compiled once, pushed, sent as raw
 * bytes, and compared in passing, reason, rule, revision and what NGINX counted. And all of them through `decide` in Node.
 */
import type { CompiledPolicy } from '@edgeward/policy';
import { compileDocuments, requireNginx } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { compileDocuments as judgeInNode } from '../../policy/test/compiled.ts';
import { type Vector, vectorFiles, vectorsOf } from '../../policy/test/vector-files.ts';
import { mergedFlow, mergedPolicy } from './merged-policy.ts';
import { answerOf, wantedAnswer } from './nginx-answer.ts';
import { type Carrier, type CarrierKind, carrierKinds, startCarriers } from './nginx-carriers.ts';
import { nginxRefuses } from './server-refusals.ts';
import { carriersOf, groupsOf, type Carrier as PointKind, pointOf, type VectorGroup } from './vector-carriers.ts';

const pointKinds: Record<CarrierKind['transport'], PointKind> = { http: 'nginx', stream: 'nginx stream' };
/** Fewer, and the vectors were not found. */
const leastJudged: Record<CarrierKind['transport'], number> = { http: 450, stream: 10 };

await requireNginx(t, ...new Set(carrierKinds.map(({ edition }) => edition)));
const carriers = await startCarriers(t);
const total = vectorFiles.flatMap(vectorsOf).length;
const ran: Record<string, Ran> = {};
let inNode = 0;

interface Ran {
  judged: number;
  refused: number;
  /** Let in without asking the module. */
  unasked: number;
}

function ranOn({ name }: Carrier): Ran {
  ran[name] ??= { judged: 0, refused: 0, unasked: 0 };
  return ran[name];
}

for (const file of vectorFiles) {
  t.test(`every NGINX judges the vectors of ${file} as they say`, async (t) => {
    const groups = groupsOf(vectorsOf(file));
    const policy = mergedPolicy(groups.map(compiledGroup));
    const each = await Promise.allSettled(carriers.map((carrier) => proveAll(t, carrier, policy, groups)));
    for (const outcome of each) if (outcome.status === 'rejected') throw outcome.reason;
  });

  t.test(`decide in Node judges the vectors of ${file} as they say`, async (t) => {
    for (const { name, policy, now, connection, expect } of vectorsOf(file)) {
      const { verdict, reason, rule } = judgeInNode(policy, now).decide(connection);
      t.strictSame({ verdict, reason, rule }, expect, name);
      inNode += 1;
    }
  });
}

t.test('how many vectors ran where', async (t) => {
  t.comment(`${total} vectors: ${inNode} ran on node`);
  t.equal(inNode, total, 'all in Node');
  for (const carrier of carriers) {
    const { name, kind } = carrier;
    const carried = carriedBy({ kind }, vectorFiles.flatMap(vectorsOf)).length;
    const { judged, refused, unasked } = ranOn(carrier);
    t.comment(`${judged + refused} ran on ${name} (${refused} refused by NGINX itself)`);
    t.strictSame(judged + refused, carried, `${name}: none that it can carry was left out`);
    t.ok(judged >= leastJudged[kind.transport], `${name}: it carries most of them`);
    t.equal(
      unasked > 0,
      kind.mode === 'hybrid',
      `${name}: a snapshot, and nothing else, lets in by itself (${unasked})`,
    );
  }
  for (const [kinds, count] of Object.entries(elsewhere())) t.comment(`${count} can be carried by ${kinds}`);
});

/** No datagram says who sent it, so what is asked over UDP has tests of its own beside the stream module. */
function carriedBy({ kind }: Pick<Carrier, 'kind'>, vectors: Vector[]): Vector[] {
  const carried = vectors.filter((vector) => carriersOf(vector).includes(pointKinds[kind.transport]));
  return carried.filter(({ connection }) => connection.port.startsWith('tcp/'));
}

/** Vectors that no NGINX here can carry, by who can. */
function elsewhere(): Record<string, number> {
  const here = new Set(carriers.map(({ kind }) => pointKinds[kind.transport]));
  const counts: Record<string, number> = {};
  for (const vector of vectorFiles.flatMap(vectorsOf)) {
    const kinds = carriersOf(vector).filter((kind) => kind !== 'node');
    if (kinds.some((kind) => here.has(kind))) continue;
    const words = kinds.length === 0 ? 'no point: only http objects, asked over udp' : `${kinds.join(' or ')} only`;
    counts[words] = (counts[words] ?? 0) + 1;
  }
  return counts;
}

function compiledGroup({ policy, now, vectors }: VectorGroup): CompiledPolicy {
  return compileDocuments(policy, { revision: 0, now, point: pointOf(vectors[0] as Vector) });
}

async function proveAll(t: Test, carrier: Carrier, policy: CompiledPolicy, groups: VectorGroup[]): Promise<void> {
  const revision = await carrier.load(policy);
  await carrier.counted();
  const counts: Record<string, number> = {};
  for (const [at, { vectors }] of groups.entries()) {
    for (const vector of carriedBy(carrier, vectors)) {
      const counted = await prove(t, carrier, vector, { at, policy, revision });
      if (counted !== null) counts[counted] = (counts[counted] ?? 0) + 1;
    }
  }
  const counted = await carrier.counted();
  t.strictSame(countedBy(carrier, counted), countedBy(carrier, counts), `counted as judged (${carrier.name})`);
  ranOn(carrier).unasked += allowsIn(counts) - allowsIn(counted);
}

/** Whom a snapshot lets in is not counted: that would cost what the snapshot saves. */
function countedBy({ kind }: Carrier, counts: Record<string, number>): Record<string, number> {
  const denials = Object.entries(counts).filter(([key]) => !key.includes(' allow '));
  return kind.mode === 'hybrid' ? Object.fromEntries(denials) : counts;
}

function allowsIn(counts: Record<string, number>): number {
  return Object.entries(counts).reduce((sum, [key, count]) => (key.includes(' allow ') ? sum + count : sum), 0);
}

/** What NGINX should have counted it as; null where it never came to the hook. */
async function prove(
  t: Test,
  carrier: Carrier,
  vector: Vector,
  { at, policy, revision }: { at: number; policy: CompiledPolicy; revision: number },
): Promise<string | null> {
  const { name, expect } = vector;
  const connection = mergedFlow(at, vector.connection);
  const claim = `${name} (${carrier.name})`;
  const tally = ranOn(carrier);
  const judged = await carrier.judge(connection);
  const newlyRefused = judged.refusedByServer && expect.verdict === 'deny' && refusedSince126(carrier, vector);
  if (vector.refusedByServer === true || newlyRefused) {
    tally.refused += 1;
    t.ok(judged.refusedByServer && [400, 405].includes(judged.status ?? 0), `${claim}: NGINX refuses it`);
    return null;
  }
  tally.judged += 1;
  const wanted = wantedAnswer(policy, connection, expect, revision);
  t.strictSame(answerOf(judged), wanted, claim);
  const told = carrier.kind.transport === 'http' && !wanted.passed;
  t.equal(judged.ref, told ? judged.event?.ref : undefined, `${claim}: the reference`);
  return `${bindOf(policy, connection.to)} ${wanted.event?.verdict ?? 'allow'} ${expect.reason}`;
}

const bindOf = (policy: CompiledPolicy, object: string): string =>
  policy.objects.find(({ name }) => name === object)?.bind ?? object;

/** The vectors say what every NGINX refuses; a newer one may refuse more. */
function refusedSince126({ nginxVersion }: Carrier, { connection }: Vector): boolean {
  return !nginxRefuses(connection, '1.26.0') && nginxRefuses(connection, nginxVersion);
}
