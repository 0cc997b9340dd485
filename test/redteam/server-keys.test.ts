/** Whoever holds every key of the servers and of no person opens nothing outside of what people signed. */
import fc from 'fast-check';
import t from 'tap';
import { search } from '../../policy/test/runs.ts';
import { arbitraryEdition } from './estate.ts';
import { arbitraryProgramme, openScene, perform } from './programme.ts';

t.test('every server key and no person’s: no flow passes that people did not let, whatever is served', async (t) => {
  const told = new Map<string, number>();
  let believed = 0;
  let passed = 0;
  await fc.assert(
    fc.asyncProperty(arbitraryEdition, arbitraryProgramme(1, 40), async (first, programme) => {
      const scene = await openScene(first);
      try {
        for (const step of programme) await perform(scene, step);
      } finally {
        await scene.victim.close();
      }
      believed += scene.believed;
      passed += scene.promises.seen.passed;
      for (const [code, times] of scene.refusals) told.set(code, (told.get(code) ?? 0) + times);
    }),
    search(t, 40),
  );
  t.comment(
    [...told]
      .sort()
      .map(([code, times]) => `${code} ${times}`)
      .join(', '),
  );
  t.ok(believed > 30, `${believed} forged heads were believed: what is inside the fences is the store's to say`);
  t.ok(passed > 1000, 'and flows passed');
});
