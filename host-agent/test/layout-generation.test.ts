import t from 'tap';
import { hostLayout } from '../driver/layout/index.ts';
import { enforced, OPTIONS } from './fixtures/host-policies.ts';

const policy = enforced();
const other = enforced({ from: [{ any: true }] });

t.test('equal policies have equal generations, whatever their revision', async (t) => {
  const { generation } = hostLayout(policy, OPTIONS);
  t.equal(hostLayout({ ...policy, revision: 9 }, OPTIONS).generation, generation);
  t.ok(generation >= 1 && generation <= 4095);
});

t.test('another policy never takes the generation in force, and what is in force keeps its own', async (t) => {
  const { generation } = hostLayout(policy, OPTIONS);
  const next = hostLayout(policy, OPTIONS, { hash: other.hash, generation });
  t.equal(next.generation, (generation % 4095) + 1);
  t.equal(hostLayout(policy, OPTIONS, { hash: policy.hash, generation: next.generation }).generation, next.generation);
  t.equal(hostLayout(policy, OPTIONS, { hash: policy.hash, generation: 60_000 }).generation, generation, 'that fits');
});

t.test('a generation fits its bits and is never 0', async (t) => {
  for (const mark of [
    { mask: 0x3, shift: 0 },
    { mask: 0xc000_0000, shift: 30 },
    { mask: 0xffff_ffff, shift: 0 },
  ]) {
    const count = Math.min(65_535, mark.mask / 2 ** mark.shift);
    for (let digit = 0; digit < 16; digit += 1) {
      const hash = digit.toString(16).repeat(64);
      const { generation, families } = hostLayout({ ...policy, hash }, { ...OPTIONS, mark });
      t.ok(generation >= 1 && generation <= count, `${generation} of ${count}`);
      const stamp = families.inet.chains.find(({ name }) => name === `EW-OK-${generation}`)?.rules[0]?.args.at(-1);
      const [value, mask] = (stamp ?? '').split('/').map(Number);
      t.strictSame([value, mask], [generation * 2 ** mark.shift, mark.mask]);
      const stepped = hostLayout({ ...policy, hash }, { ...OPTIONS, mark }, { hash: other.hash, generation });
      t.ok(stepped.generation !== generation && stepped.generation >= 1 && stepped.generation <= count);
    }
  }
});

t.test('bits that are no run, or too few, are refused', async (t) => {
  for (const [mask, shift] of [
    [0, 0],
    [1, 0],
    [0x0ff0_0000, 16],
    [0x00ff_0000, 24],
    [0x0f0f_0000, 16],
    [-1, 0],
    [0x1_0000_0000, 32],
    [Number.NaN, 0],
    [0x0fff_0000, -1],
  ] as const) {
    t.throws(() => hostLayout(policy, { ...OPTIONS, mark: { mask, shift } }), { code: 'EDW_ERR_HOST_MARK' }, `${mask}`);
  }
});
