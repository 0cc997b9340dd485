/** A far side that is away, or hostile: coded errors, bounded, and everything as before once it is well again. */
import { hopOf, NEVER, next } from './hop.ts';
import { thrownBy } from './patience.ts';
import type { MakeClaim } from './stage.ts';

export async function misbehaving(claim: MakeClaim): Promise<void> {
  await claim('a far side that is away is unreachable, and is found again where it was', async (t, stage) => {
    const hop = hopOf(stage);
    await hop.take(await next(stage, null));
    const { digest, bytes } = hop.state?.head.rules ?? { digest: '', bytes: 0 };
    await stage.cut();
    for (const [what, ask] of Object.entries({
      head: () => next(stage, null),
      news: () => next(stage, hop.cursor()),
      blob: () => stage.transport.blob(digest, bytes, NEVER),
      root: () => stage.transport.root(1, NEVER),
    }))
      t.equal((await thrownBy(what, ask)).code, 'EDW_ERR_STORE_UNREACHABLE', what);
    await stage.change();
    await stage.heal();
    await hop.take(await next(stage, hop.cursor()));
    t.equal(hop.state?.signedHead.payload, stage.head().payload);
  });

  await claim(
    'whatever a hostile far side answers is a coded error within bounds',
    async (t, stage) => {
      const hop = hopOf(stage);
      await hop.take(await next(stage, null));
      for (const [how, misbehave] of Object.entries(stage.misbehave ?? {})) {
        await stage.change();
        await misbehave();
        const before = process.memoryUsage().rss;
        const { code } = await thrownBy(how, () => next(stage, null));
        t.match(code, /^EDW_ERR_STORE_(ANSWER|UNREACHABLE)$/, `${how}: ${code}`);
        t.ok(process.memoryUsage().rss - before < MEMORY_BYTES, `${how}: memory is bounded`);
        await stage.heal();
        await hop.take(await next(stage, hop.cursor()));
        t.equal(hop.state?.signedHead.payload, stage.head().payload, `after ${how}`);
      }
    },
    ({ misbehave }) => (misbehave === undefined ? 'this far side can only behave' : null),
  );
}

/** Far less than any of them sends, or unpacks to. */
const MEMORY_BYTES = 128 * 1024 * 1024;
