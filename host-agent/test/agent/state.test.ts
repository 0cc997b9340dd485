/** What the agent knows over a restart: whole or not at all, and nothing that was damaged. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { generateSigningKey } from '@edgeward/policy-format';
import t from 'tap';
import { signHostPolicy } from '../../protocol/index.ts';
import { type AgentState, agentStateOf, NO_STATE } from '../../src/agent-state.ts';
import type { InForce } from '../../src/in-force.ts';
import { knownGood } from '../../src/known-good.ts';
import { floorOf, openLastKnown } from '../../src/last-known.ts';
import { observedPolicy } from '../../src/safety/observed-policy.ts';
import { hostPolicy } from '../fixtures/host-fixture.ts';

const key = await generateSigningKey();
const AT = '2026-11-23T00:00:00.000Z';
const [one, two] = [
  hostPolicy({ revision: 1, allow: ['10.1.0.0/16'] }),
  hostPolicy({ revision: 2, allow: ['10.2.0.0/16'] }),
];
const refOf = ({ revision, hash }: { revision: number; hash: string }) => ({ revision, hash });

const begun = (policy: { revision: number; hash: string }) => ({ ...refOf(policy), tried: true });

async function open(stateDir: string) {
  const damage: string[] = [];
  const known = await openLastKnown({
    ...{ stateDir, aud: 'host-db', keys: () => [key.publicKey] },
    onDamage: (words) => damage.push(words),
  });
  return { known, damage };
}

async function withPolicies(stateDir: string, state: Partial<AgentState>) {
  const { known } = await open(stateDir);
  for (const policy of [one, two]) await known.keep(refOf(policy), await signHostPolicy(policy, AT, key));
  await known.switchTo({ ...NO_STATE, ...state });
  return open(stateDir);
}

const inKernel = (...hashes: string[]): InForce => ({
  ...{
    revision: 1,
    hash: hashes[0] ?? '',
    generation: 1,
    sampled: '00000000',
    rules: null,
    highest: 1,
    hashes,
    enforces: true,
  },
});

t.test('the policy to put in force without anybody to ask', async (t) => {
  const half = [one.hash, two.hash];
  const cases: {
    name: string;
    state: Partial<AgentState>;
    kernel: InForce | null;
    expect: [number, string, boolean] | null;
  }[] = [
    { name: 'none', state: {}, kernel: null, expect: null },
    { name: 'current', state: { current: refOf(one) }, kernel: null, expect: [1, 'served', false] },
    {
      name: 'current, observed',
      state: { current: refOf(one), form: 'observe' },
      kernel: null,
      expect: [1, 'observe', false],
    },
    {
      name: 'next was not begun',
      state: { current: refOf(one), next: begun(two) },
      kernel: inKernel(one.hash),
      expect: [1, 'served', false],
    },
    {
      name: 'next, after a boot',
      state: { current: refOf(one), next: begun(two) },
      kernel: null,
      expect: [1, 'served', false],
    },
    {
      name: 'next was begun',
      state: { current: refOf(one), next: begun(two) },
      kernel: inKernel(...half),
      expect: [2, 'served', true],
    },
    {
      name: 'next was begun, observed',
      state: { current: refOf(one), next: begun(two) },
      kernel: inKernel(observedPolicy(two).hash),
      expect: [2, 'observe', true],
    },
    {
      name: 'the first was begun',
      state: { next: begun(two) },
      kernel: inKernel(two.hash),
      expect: [2, 'served', true],
    },
    {
      name: 'one of somebody else stands',
      state: { current: refOf(one), next: begun(two) },
      kernel: inKernel('f'.repeat(64)),
      expect: [1, 'served', false],
    },
  ];
  for (const [at, { name, state, kernel, expect }] of cases.entries()) {
    const { known } = await withPolicies(`${t.testdirName}/${at}`, state);
    const found = await knownGood(known, kernel);
    t.strictSame(found === null ? null : [found.ref.revision, found.form, found.begun], expect, name);
    if (found !== null) t.equal(found.policy.objects[0]?.mode, found.form === 'observe' ? 'observe' : 'enforce', name);
  }
});

t.test('what is damaged is never used, and what stood before it is', async (t) => {
  const dir = t.testdir({});
  const state = {
    current: refOf(two),
    probation: { previous: refOf(one), previousForm: 'served' as const, starts: 0 },
  };
  const { known, damage } = await withPolicies(dir, state);
  const file = `${dir}/policies/${(await readdir(`${dir}/policies`)).find((name) => name.startsWith('2-'))}`;
  const whole = await readFile(file, 'utf8');
  const changes: Record<string, string> = {
    'cut off': whole.slice(0, -10),
    'another hash': whole.replace(/("hash":")(.)/, (_, before, digit) => `${before}${digit === 'f' ? '0' : 'f'}`),
    empty: '',
    'of another': await readFile(file.replace(/2-[0-9a-f]{16}/, `1-${one.hash.slice(0, 16)}`), 'utf8'),
  };
  for (const [name, text] of Object.entries(changes)) {
    await writeFile(file, text);
    t.equal((await knownGood(known, null))?.ref.revision, 1, name);
  }
  t.equal(damage.length, Object.keys(changes).length, 'each was told');
});

t.test('a state file that this version did not write is no state, and says so', async (t) => {
  const cases = ['', '{', '[]', '{"v":2}', '{"v":1}', JSON.stringify({ ...NO_STATE, form: 'x' }), 'null'];
  for (const [at, text] of cases.entries()) {
    const dir = t.testdir({ 'state.json': text });
    const { known, damage } = await open(dir);
    t.strictSame(known.state(), NO_STATE, `${at}`);
    t.equal(damage.length, 1, `${at}: it is told`);
  }
  const whole: AgentState = {
    ...NO_STATE,
    floor: { ...refOf(two), issuedAt: AT },
    current: refOf(one),
    probation: { previous: null, previousForm: 'observe', starts: 2 },
    rolledBack: { ...refOf(two), code: 'EDW_ERR_X', message: 'y' },
    numberAtLeast: 2,
  };
  t.strictSame(agentStateOf(JSON.parse(JSON.stringify(whole))), whole, 'what is written is what is read');
});

t.test('only policies that the state names stay on disk', async (t) => {
  const dir = t.testdir({});
  const { known } = await withPolicies(dir, { current: refOf(one), next: begun(two) });
  t.equal((await readdir(`${dir}/policies`)).length, 2);
  await known.switchTo({ ...NO_STATE, current: refOf(two) });
  t.strictSame(await readdir(`${dir}/policies`), [`2-${two.hash.slice(0, 16)}.policy`]);
});

t.test('nothing below what was believed is believed, also where only the kernel knows', async (t) => {
  const floor = { revision: 5, hash: 'a'.repeat(64) };
  t.strictSame(floorOf({ ...NO_STATE, floor }, null), floor);
  t.strictSame(floorOf({ ...NO_STATE, floor }, 5), floor);
  t.strictSame(floorOf({ ...NO_STATE, floor }, 4), floor);
  t.strictSame(floorOf({ ...NO_STATE, floor }, 9), { revision: 8, hash: '' }, 'a state from a backup');
  t.strictSame(floorOf(NO_STATE, 3), { revision: 2, hash: '' }, 'a state that was lost');
  t.equal(floorOf(NO_STATE, null), null);
});
