/** What is taken over, in which form, and what is not; on real rules and a real state folder. */
import { readdir, rm, writeFile } from 'node:fs/promises';
import type { CompiledPolicy } from '@edgeward/policy';
import { generateSigningKey } from '@edgeward/policy-format';
import { requireHosts } from '@edgeward/test/kit';
import t from 'tap';
import { signHostPolicy } from '../../protocol/index.ts';
import { hostPolicy } from '../fixtures/host-fixture.ts';
import { ALL_TOOLS, FRIEND, NO_TOOLS, OTHER, type Scene, takeOverScene } from './take-over-scene.ts';

requireHosts(t);

const AT = '2026-11-23T00:00:00.000Z';
const EVERYONE = ['0.0.0.0/0'];
const SESSION = [{ localPort: 22, peer: '203.0.113.9' }];
const nothingAt = (revision: number): CompiledPolicy => ({
  ...hostPolicy({ revision, allow: EVERYONE }),
  objects: [] as CompiledPolicy['objects'],
});

t.test('what must not be taken over changes nothing', async (t) => {
  const here = await takeOverScene(t);
  await here.offer(5, [FRIEND]);
  const stranger = await generateSigningKey();
  const open = hostPolicy({ revision: 6, allow: EVERYONE });
  const unsigned = await signHostPolicy(open, AT, stranger);
  const damaged = Buffer.from(await here.sign(open));
  damaged[damaged.length - 20] = 0x20;
  const cases: { name: string; offer: () => Promise<string>; code: string }[] = [
    { name: 'older', offer: () => here.offer(4, EVERYONE), code: 'EDW_ERR_HOST_POLICY_OLDER' },
    {
      name: 'another under the same number',
      offer: () => here.offer(5, EVERYONE),
      code: 'EDW_ERR_HOST_POLICY_OLDER',
    },
    { name: 'unsigned', offer: () => here.offerBytes(unsigned, 6), code: 'EDW_ERR_HOST_POLICY_SIGNATURE' },
    { name: 'damaged', offer: () => here.offerBytes(damaged, 6), code: 'EDW_ERR_HOST_POLICY_SIGNATURE' },
    {
      name: 'garbage',
      offer: () => here.offerBytes(Buffer.from('{}\n'), 6),
      code: 'EDW_ERR_HOST_POLICY_UNREADABLE',
    },
    {
      name: 'of another host',
      offer: () => here.offerPolicy({ ...open, point: 'host-of-somebody-else' }),
      code: 'EDW_ERR_HOST_POLICY_AUDIENCE',
    },
    {
      name: 'one that protects nothing here',
      offer: () => here.offerPolicy(nothingAt(6)),
      code: 'EDW_ERR_HOST_NO_OBJECT',
    },
  ];
  for (const { name, offer, code } of cases) {
    t.equal(await offer(), 'settled', name);
    t.match(here.takeOver.view(), { applied: { revision: 5 }, mode: 'enforce', nack: { code } }, name);
  }
  t.strictSame(await here.verdicts(), ['open', 'silent']);
  await here.offer(6, [OTHER]);
  t.match(here.takeOver.view(), { state: 'applied', applied: { revision: 6 }, nack: null });
  t.strictSame(await here.verdicts(), ['silent', 'open'], 'what may be is taken over afterwards');
});

t.test('what would cut a session is observed, and enforced once the session is over', async (t) => {
  const here = await takeOverScene(t);
  here.around.sessions = SESSION;
  await here.offer(1, [FRIEND]);
  t.match(here.takeOver.view(), {
    state: 'observed',
    mode: 'observe',
    nack: { revision: 1, code: 'EDW_ERR_HOST_WOULD_CUT' },
  });
  t.strictSame(await here.verdicts(), ['open', 'open'], 'nobody is cut');
  const later = await here.again();
  await later.settled();
  t.match(
    later.takeOver.view(),
    { state: 'observed', nack: { code: 'EDW_ERR_HOST_WOULD_CUT' } },
    'also by an agent started anew',
  );
  later.around.sessions = [];
  await later.settled();
  t.match(later.takeOver.view(), { state: 'applied', mode: 'enforce', nack: null });
  t.strictSame(await later.verdicts(), ['open', 'silent']);
});

t.test('a node of Kubernetes is observed, and one that enforces already keeps what it has', async (t) => {
  const here = await takeOverScene(t);
  const code = 'EDW_ERR_HOST_KUBERNETES';
  here.around.kubernetes = 'there is a chain KUBE-FORWARD';
  t.equal(await here.offer(1, [FRIEND]), 'settled');
  t.match(here.takeOver.view(), { state: 'observed', mode: 'observe', nack: { code } });
  t.strictSame(await here.verdicts(), ['open', 'open']);
  here.around.kubernetes = null;
  await here.settled();
  t.strictSame(await here.verdicts(), ['open', 'silent'], 'one that is none any more is enforced');
  here.around.kubernetes = 'process 77 is kubelet';
  t.equal(await here.offer(2, [OTHER]), 'again');
  t.match(here.takeOver.view(), { applied: { revision: 1 }, mode: 'enforce', nack: { revision: 2, code } });
  t.strictSame(await here.verdicts(), ['open', 'silent'], 'it is not opened by what a process is called');
  t.equal(await here.offerPolicy(hostPolicy({ revision: 3, allow: [OTHER], mode: 'observe' })), 'settled');
  t.strictSame(await here.verdicts(), ['open', 'open'], 'who says so may open it');
});

t.test('last-known-good that could not be applied at the start is applied when that is possible', async (t) => {
  const here = await takeOverScene(t);
  await here.offer(1, [FRIEND]);
  await here.clear();
  here.tools.fail = ALL_TOOLS;
  const later = await here.again();
  t.match(later.takeOver.view(), { applied: null });
  await later.clock.move(600_000);
  await later.settled();
  t.strictSame(await later.verdicts(), ['open', 'open'], 'nothing can be done yet');
  here.tools.fail = NO_TOOLS;
  await later.takeOver.settle();
  t.match(later.takeOver.view(), { state: 'applied', applied: { revision: 1 } });
  t.strictSame(await later.verdicts(), ['open', 'silent']);
});

t.test('where last-known-good could not be applied, the kernel is asked whether the host enforces', async (t) => {
  const here = await takeOverScene(t);
  await here.offer(1, [FRIEND]);
  const startedAfter = async (before: Scene): Promise<Scene> => {
    here.tools.fail = ALL_TOOLS;
    const anew = await before.again();
    here.tools.fail = NO_TOOLS;
    return anew;
  };
  const one = await startedAfter(here);
  t.equal(await one.offerPolicy(nothingAt(2)), 'settled');
  t.match(one.takeOver.view(), { nack: { code: 'EDW_ERR_HOST_NO_OBJECT' } });
  t.strictSame(await one.verdicts(), ['open', 'silent'], 'a policy that protects nothing does not open it');
  const other = await startedAfter(one);
  other.around.sessions = SESSION;
  await other.offer(3, [OTHER]);
  t.match(other.takeOver.view(), { state: 'applied', applied: { revision: 3 }, mode: 'enforce', nack: null });
  t.strictSame(await other.verdicts(), ['silent', 'open'], 'nor does a session that is revoked');
});

t.test('what stands is reported also where the state of the agent was lost', async (t) => {
  const here = await takeOverScene(t);
  await here.offer(4, [FRIEND]);
  await here.settled();
  const { applied } = here.takeOver.view();
  await rm(`${here.stateDir}/state.json`);
  const later = await here.again();
  t.match(later.takeOver.view(), { state: 'applied', applied, nack: null });
  t.strictSame(await later.verdicts(), ['open', 'silent'], 'and is not touched');
  await later.clear();
  const last = await later.again();
  t.match(last.takeOver.view(), { state: 'no-policy', applied: null }, 'where nothing does, nothing is claimed');
});

t.test('a policy that was taken over before is taken over again without a write', async (t) => {
  const here = await takeOverScene(t);
  await here.offer(1, [FRIEND]);
  const before = here.takeOver.view();
  t.equal(await here.offer(1, [FRIEND]), 'settled');
  t.strictSame(here.takeOver.view(), before);
});

t.test(
  'a policy whose file was damaged is kept again when it comes again, also where the one before it stands',
  async (t) => {
    const here = await takeOverScene(t);
    await here.offer(1, [FRIEND]);
    await here.settled();
    here.service.there = false;
    await here.offer(2, [OTHER]);
    const [file] = (await readdir(`${here.stateDir}/policies`)).filter((name) => name.startsWith('2-'));
    await writeFile(`${here.stateDir}/policies/${file}`, 'damaged');
    await here.clear();
    const later = await here.again();
    t.equal(later.damage.length, 1, 'it is told');
    t.strictSame(await later.verdicts(), ['open', 'silent'], 'the one before it stands');
    await later.offer(2, [OTHER]);
    t.strictSame(await later.verdicts(), ['silent', 'open']);
    await later.clear();
    const last = await later.again();
    t.strictSame(last.damage, []);
    t.strictSame(await last.verdicts(), ['silent', 'open'], 'after a boot too');
  },
);
