/** What a transport brings, from a far side that is well. */
import { canonicalJson, digestOf, type PointReport, pointReportOf } from '@edgeward/policy-format';
import { hopOf, NEVER, next } from './hop.ts';
import { thrownBy, until } from './patience.ts';
import type { MakeClaim } from './stage.ts';

const WAIT_MS = 20_000;

export async function carrying(claim: MakeClaim): Promise<void> {
  await heads(claim);
  await waits(claim);
  await blobsAndRoots(claim);
  await claim(
    'a report arrives as it was sent',
    async (t, { transport, point, reports }) => {
      const report = reportFor(point);
      await transport.report?.(report, NEVER);
      await until('the report arrived', () => (reports?.() ?? []).length > 0);
      // A store may keep its texts as it shows them.
      t.strictSame(pointReportOf(reports?.().at(-1)), pointReportOf(report));
    },
    ({ reports }) => (reports === null ? 'this way leads one way only' : null),
  );
  await claim('whether there is a way back is said at once', async (t, { transport, reports }) => {
    t.equal(transport.report === null, reports === null);
  });
}

async function heads(claim: MakeClaim): Promise<void> {
  await claim('the first answer is the newest head, and all that it names can be had', async (t, stage) => {
    const hop = hopOf(stage);
    const news = await next(stage, null);
    t.match(news, { state: 'head', head: stage.head() });
    await hop.take(news);
    t.equal(hop.state?.head.aud, stage.point);
  });

  await claim('what was taken over is unchanged; what was not is given again', async (t, stage) => {
    const hop = hopOf(stage);
    await hop.take(await next(stage, null));
    t.equal((await next(stage, null)).state, 'head', 'nothing is known');
    t.equal((await next(stage, hop.cursor())).state, 'unchanged');
    await stage.change();
    for (const attempt of ['first', 'second'])
      t.not((await next(stage, hop.cursor())).state, 'unchanged', `${attempt} time`);
  });

  await claim('changes and decisions are news, and lead to the newest state', async (t, stage) => {
    const hop = hopOf(stage);
    await hop.take(await next(stage, null));
    for (const step of [stage.change, stage.decide, stage.change, stage.change]) {
      await step();
      await hop.take(await next(stage, hop.cursor()));
      t.equal(hop.state?.signedHead.payload, stage.head().payload);
    }
  });

  await claim('a point that the store has nothing for is a coded error', async (t, { transport, unknownPoint }) => {
    const ask = () => transport.next(unknownPoint, null, { waitMs: 0, signal: NEVER });
    const { code } = await thrownBy('asking for an unknown point', ask);
    // Where rights are by point, nobody is told which points there are.
    t.match(code, /^EDW_ERR_STORE_(NO_POINT|REFUSED)$/);
  });

  await claim('what is no name of a point is asked for nowhere', async (t, { transport }) => {
    for (const name of ['', '..', '../roots/1', 'a/b', 'a b', 'x'.repeat(64), 'edge-1\n', 'a.*.>', '%2e%2e']) {
      const ask = () => transport.next(name, null, { waitMs: 0, signal: NEVER });
      t.equal((await thrownBy(JSON.stringify(name), ask)).code, 'EDW_ERR_STORE_NO_POINT', JSON.stringify(name));
    }
  });
}

async function waits(claim: MakeClaim): Promise<void> {
  const lacks = ({ transport }: { transport: { waits?: boolean } }): string | null =>
    transport.waits === true ? null : 'this way does not wait';

  await claim(
    'a wait ends with the change that it waited for',
    async (t, stage) => {
      const hop = hopOf(stage);
      await hop.take(await next(stage, null));
      for (const step of [stage.change, stage.decide]) {
        const waiting = next(stage, hop.cursor(), WAIT_MS);
        await step();
        await hop.take(await waiting);
        t.equal(hop.state?.signedHead.payload, stage.head().payload);
      }
    },
    lacks,
  );

  await claim('a wait without a change ends, and nothing is new', async (t, stage) => {
    const hop = hopOf(stage);
    await hop.take(await next(stage, null));
    t.equal((await next(stage, hop.cursor(), 1_500)).state, 'unchanged');
  });

  await claim('a wait that nobody wants any more ends', async (t, stage) => {
    const hop = hopOf(stage);
    await hop.take(await next(stage, null));
    const ending = new AbortController();
    const thrown = thrownBy('an abandoned wait', () => next(stage, hop.cursor(), 10 * WAIT_MS, ending.signal));
    setTimeout(() => ending.abort(), 100);
    t.ok(await thrown);
    await stage.change();
    await hop.take(await next(stage, hop.cursor()));
    t.equal(hop.state?.signedHead.payload, stage.head().payload, 'and the transport goes on');
  });
}

async function blobsAndRoots(claim: MakeClaim): Promise<void> {
  await claim('a blob is its bytes, never more than asked for, and null where there is none', async (t, stage) => {
    const hop = hopOf(stage);
    await hop.take(await next(stage, null));
    const { digest, bytes } = hop.state?.head.rules ?? { digest: '', bytes: 0 };
    const blob = await stage.transport.blob(digest, bytes, NEVER);
    t.equal(blob?.length, bytes);
    t.equal(digestOf(blob ?? ''), digest);
    const short = () => stage.transport.blob(digest, bytes - 1, NEVER);
    t.equal((await thrownBy('a blob that is larger than asked for', short)).code, 'EDW_ERR_STORE_ANSWER');
    t.equal(await stage.transport.blob(digestOf('nothing has these bytes'), 1024, NEVER), null);
  });

  await claim(
    'bytes that were changed or taken away are not believed, and are once they are back',
    async (t, stage) => {
      const news = await next(stage, null);
      const whole = hopOf(stage);
      await whole.take(news);
      const rules = whole.state?.head.rules ?? { digest: '', bytes: 0 };
      const good = (await stage.transport.blob(rules.digest, rules.bytes, NEVER)) ?? new Uint8Array();
      const flipped = Uint8Array.from(good, (byte, at) => (at === 100 ? byte ^ 1 : byte));
      for (const [what, bytes] of [
        ['a bit flipped', flipped],
        ['cut short', good.subarray(0, good.length - 1)],
        ['one more', Buffer.concat([good, Buffer.from(' ')])],
        ['gone', null],
      ] as const) {
        await stage.tamper(rules.digest, bytes);
        const hop = hopOf(stage);
        const { code } = await thrownBy(what, () => hop.take(news));
        t.match(code, /^EDW_ERR_/, `${what}: ${code}`);
        t.equal(hop.state, null);
      }
      await stage.tamper(rules.digest, good);
      const hop = hopOf(stage);
      await hop.take(news);
      t.ok(hop.state);
    },
  );

  await claim('trust roots are there by version, and null beyond', async (t, { transport, pinned }) => {
    t.equal(canonicalJson(await transport.root(1, NEVER)), canonicalJson(pinned));
    t.equal(await transport.root(2, NEVER), null);
  });
}

function reportFor(point: string): PointReport {
  return {
    typ: 'edgeward-report/1',
    point,
    at: '2026-11-22T12:00:00.000Z',
    service: 'conformance',
    epoch: 1,
    revision: 7,
    applied: 6,
    state: 'behind',
    nack: { revision: 8, stage: 'fence', code: 'EDW_ERR_FENCE_MAX', message: 'too many "members"\n' },
    witnessed: { size: 3, hash: digestOf('three') },
    contradicted: false,
    denials: { total: 12, sinceMs: 1_000 },
  };
}
