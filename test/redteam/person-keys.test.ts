/** The keys of people, one at a time beside every key of the servers; and what it takes to be believed. */
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { search } from '../../policy/test/runs.ts';
import type { PersonName, WorldOptions } from '../kit/signed-world.ts';
import { arbitraryEdition, type Edition } from './estate.ts';
import {
  type ApprovalPlan,
  arbitraryProgramme,
  newestForged,
  openScene,
  POINT,
  perform,
  type Scene,
} from './programme.ts';

const noGlass: WorldOptions['change'] = (root) => ({
  ...root,
  thresholds: { ...root.thresholds, breakGlassHours: 0 },
});

async function searched(t: Test, people: readonly PersonName[], world?: WorldOptions['change']): Promise<number> {
  let glass = 0;
  await fc.assert(
    fc.asyncProperty(arbitraryEdition, arbitraryProgramme(6, 30), async (first, programme) => {
      const scene = await openScene(first, { people, ...(world === undefined ? {} : { world }) });
      try {
        for (const step of programme) await perform(scene, step);
      } finally {
        await scene.victim.close();
      }
      glass += scene.promises.seen.glass;
    }),
    search(t, 14),
  );
  return glass;
}

t.test(
  'an approver’s key opens for hours at most, one time for each version of everybody, and never in silence',
  async (t) => {
    for (const people of [['carol'], ['bob']] as const) {
      const glass = await searched(t, people);
      t.ok(glass > 0, `${people}: ${glass} times a break-glass version was held`);
    }
  },
);

t.test('an approver’s key opens nothing where break-glass is switched off', async (t) => {
  t.equal(await searched(t, ['bob'], noGlass), 0);
});

t.test('an author’s key opens nothing', async (t) => {
  await searched(t, ['alice']);
  t.pass('but what people opened themselves');
});

const TIGHT: Edition = { rules: 1, fence: 0, mode: 'enforce', lax: 0 };
const OPEN: Edition = { rules: 255 & ~(8 | 128), fence: 2, mode: 'off', lax: 0 };

const plain: ApprovalPlan = {
  version: 1,
  previous: 0,
  glassHours: null,
  returnHours: 0,
  approvals: 1,
  proposedBy: 'alice',
  keys: 'stolen',
};

/** Makes an approval of everything, and shows it. */
async function shown(scene: Scene, plan: Partial<ApprovalPlan>): Promise<string | null> {
  await perform(scene, { do: 'approve', edition: OPEN, plan: { ...plain, ...plan }, shown: false });
  return scene.victim.head(await newestForged(scene));
}

async function opened(t: Test, people: readonly PersonName[], world?: WorldOptions['change']): Promise<Scene> {
  const scene = await openScene(TIGHT, { people, ...(world === undefined ? {} : { world }) });
  t.teardown(() => scene.victim.close());
  return scene;
}

const asked = { from: '8.8.8.8', to: 'shop-0', port: 'tcp/443', method: 'GET', path: '/' };

t.test(
  'one approver’s key: nothing without break-glass; with it four hours, told by the point, then what was before',
  async (t) => {
    const scene = await opened(t, ['carol']);
    t.equal(await shown(scene, { proposedBy: 'carol' }), 'EDW_ERR_APPROVAL_PROPOSER');
    t.equal(await shown(scene, { proposedBy: 'alice' }), 'EDW_ERR_APPROVAL_UNSIGNED');
    t.equal(await shown(scene, { proposedBy: 'carol', approvals: 0 }), 'EDW_ERR_APPROVAL_PROPOSER');
    t.equal(await shown(scene, { proposedBy: 'carol', glassHours: 5 }), 'EDW_ERR_APPROVAL_GLASS_LONG');
    t.equal(await shown(scene, { proposedBy: 'carol', glassHours: 4, version: 1000 }), 'EDW_ERR_APPROVAL_BASE');
    t.notOk(scene.victim.judge()(asked));
    t.equal(await shown(scene, { proposedBy: 'carol', glassHours: 4 }), null);
    t.ok(scene.victim.judge()(asked), 'it is open');
    const [told] = scene.victim.events.filter(({ event }) => event === 'break_glass_in_force');
    t.match(told, { level: 'warn', point: POINT, version: 2, proposedBy: 'carol', reason: 'CHG-1' });
    t.equal(
      await shown(scene, { proposedBy: 'carol', glassHours: 3, version: 2 }),
      'EDW_ERR_APPROVAL_BASE',
      'no second one upon it',
    );
    t.equal(
      await shown(scene, { proposedBy: 'carol', glassHours: 3, version: 1 }),
      'EDW_ERR_APPROVAL_ROLLBACK',
      'no longer one in its place',
    );
    await perform(scene, { do: 'wait', minutes: 239 });
    await perform(scene, { do: 'restart' });
    t.ok(scene.victim.judge()(asked));
    await perform(scene, { do: 'wait', minutes: 2 });
    t.notOk(scene.victim.judge()(asked), 'by itself, with nobody there to say so');
    await perform(scene, { do: 'restart' });
    t.notOk(scene.victim.judge()(asked));
  },
);

t.test('an approver who also is an author is still one person', async (t) => {
  const scene = await opened(t, ['bob'], noGlass);
  t.equal(await shown(scene, { proposedBy: 'bob' }), 'EDW_ERR_APPROVAL_TOO_FEW');
  t.equal(await shown(scene, { proposedBy: 'bob', approvals: 0 }), 'EDW_ERR_APPROVAL_THRESHOLD');
  t.equal(await shown(scene, { proposedBy: 'bob', glassHours: 1 }), 'EDW_ERR_APPROVAL_GLASS_OFF');
});

t.test('a key that people took out of the trust root opens no more, wherever that root has come to', async (t) => {
  const scene = await opened(t, ['bob']);
  await perform(scene, { do: 'root', change: 'approver', shown: true });
  t.equal(await shown(scene, { proposedBy: 'bob', glassHours: 1 }), 'EDW_ERR_APPROVAL_UNSIGNED');
});

t.test(
  'an author’s key with as many approvers’ keys as are asked for is everybody: this is what k is for',
  async (t) => {
    const scene = await opened(t, ['alice', 'bob']);
    t.equal(await shown(scene, {}), null);
    const risky = await opened(t, ['alice', 'bob'], (root) => ({
      ...root,
      thresholds: { ...root.thresholds, normal: 2 },
    }));
    t.equal(await shown(risky, { approvals: 1 }), 'EDW_ERR_APPROVAL_THRESHOLD');
    t.equal(await shown(risky, { approvals: 2 }), 'EDW_ERR_APPROVAL_TOO_FEW');
    // Whoever writes the rules says which risks are in them: honest approvers work them out, and stolen keys do not. What a
    // point asks for itself is `normal`.
  },
);
