/** What the iRules can't find they deny, and say so: a part that is missing lets nobody in where a policy is enforced. */
import { objectPath } from '@edgeward/f5-irules';
import type { Flow } from '@edgeward/policy';
import { compileDocuments, requireTclsh } from '@edgeward/test/kit';
import t from 'tap';
import { type JudgingBigip, startJudgingBigip } from './judging-bigip.ts';

const GROUPS = 'tm/ltm/data-group/internal';
const MAP = objectPath(GROUPS, '/Edgeward/eg_map');

const front = (name: string, mode: string) => ({
  kind: 'VirtualServer',
  name,
  labels: { app: name },
  point: 'edge-1',
  bind: name,
  ports: ['tcp/443'],
  mode,
});
const documents = [
  front('enforced', 'enforce'),
  front('observed', 'observe'),
  {
    kind: 'Policy',
    name: 'shop',
    rules: [
      { id: 'any-request', from: [{ cidr: '10.2.0.0/16' }], to: 'all()', ports: ['tcp/443'] },
      { id: 'reads', from: [{ cidr: '10.1.0.0/16' }], to: 'all()', http: [{ methods: ['GET'], path: '/v1/*' }] },
    ],
  },
];

const flow = (from: string, to: string): Flow => ({
  from,
  to,
  port: 'tcp/443',
  method: 'GET',
  path: '/v1/x',
  host: 'x',
});

const tclsh = await requireTclsh(t);

async function removeGroups({ admin }: JudgingBigip, prefix: string): Promise<void> {
  const names = (await admin.list(GROUPS)).map(({ name }) => String(name)).filter((name) => name.startsWith(prefix));
  for (const name of names) await admin.remove(objectPath(GROUPS, `/Edgeward/${name}`));
}

/** `reset`, a status, and what the event says. */
async function judged(judging: JudgingBigip, from: string, to: string): Promise<string> {
  const { answer, event } = await judging.judge(flow(from, to));
  const seen = answer.state === 'answered' ? String(answer.status) : answer.state;
  return event === null ? seen : `${seen} ${event.verdict} ${event.reason}`;
}

t.test('what is missing on the box denies; what is only observed passes, and is told', async (t) => {
  const judging = await startJudgingBigip(t, tclsh);
  const expect = async (from: string, words: { enforced: string; observed: string }, name: string): Promise<void> => {
    for (const [to, wanted] of Object.entries(words))
      t.equal(await judged(judging, from, to), wanted, `${to}: ${name}`);
  };
  await judging.load(compileDocuments(documents, { revision: 0 }));
  await expect('10.2.0.1', { enforced: '200', observed: '200' }, 'before anything is missing');

  await removeGroups(judging, 'eg_r_');
  const noConditions = { enforced: '403 deny internal-error', observed: '200 would-deny internal-error' };
  await expect('10.1.0.1', noConditions, 'the conditions on requests are gone');
  await expect('10.2.0.1', { enforced: '200', observed: '200' }, 'whoever needs none of them passes');

  await removeGroups(judging, 'eg_s_');
  const noSources = { enforced: 'reset deny internal-error', observed: '200 would-deny internal-error' };
  await expect('10.2.0.1', noSources, 'the sources are gone');

  await judging.admin.modify(MAP, { records: [] });
  const noPolicy = { enforced: 'reset deny no-policy', observed: '200 would-deny no-policy' };
  await expect('10.2.0.1', noPolicy, 'the map is empty, and the mode is the one last known');
});

t.test('what a changed group said is forgotten when it is repaired, by every TMM', async (t) => {
  const judging = await startJudgingBigip(t, tclsh);
  await judging.load(compileDocuments(documents, { revision: 0 }));
  const { admin } = judging;
  const names = (await admin.list(GROUPS)).map(({ name }) => String(name));
  const name = names.find((one) => one.startsWith('eg_r_')) ?? '';
  const path = objectPath(GROUPS, `/Edgeward/${name}`);
  const write = { ...flow('10.1.0.1', 'enforced'), method: 'POST' };
  const answers = async (): Promise<string[]> => {
    const seen = new Set<string>();
    // Connections go to the TMMs in turn.
    for (let n = 0; n < 8; n += 1) {
      const { answer } = await judging.judge(write);
      seen.add(answer.state === 'answered' ? String(answer.status) : answer.state);
    }
    return [...seen];
  };
  await admin.modify(path, { records: [{ name: '0', data: 'allow reads * * *' }] });
  t.strictSame(await answers(), ['200'], 'the group is in use as somebody wrote it');
  await judging.repair();
  t.strictSame(await answers(), ['403'], 'and the policy judges again');
});
