import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onEveryNginx } from '@edgeward/test/kit';
import t from 'tap';
import { contractTest } from '../../../enforcement-point/src/contract-test.ts';
import { makeBothZonesFixture } from './both-zones-fixture.ts';
import { streamPolicy } from './connecting.ts';
import { frame } from './frames.ts';

/** One edition: what differs between them is between NGINX and one zone, and is proved there on each. */
const claim = await onEveryNginx(t, ['debian-14-qjs']);

claim('an NGINX with both zones keeps the contract of drivers', (t, on) =>
  contractTest(t, () => makeBothZonesFixture(on)),
);

claim(
  'where one zone is ahead the point holds the older revision, and what is left is nobody’s drift',
  async (t, on) => {
    const edge = await on.startEdge(t, { stream: [{ name: 'billing-db' }] });
    const point = edge.point();
    await point.apply(streamPolicy({ revision: 1 }));
    await t.rejects(edge.point({ streamPush: 'tcp://127.0.0.1:1' }).apply(streamPolicy({ revision: 2 })), {
      code: 'EDW_ERR_POINT_UNREACHABLE',
      message: /tcp:\/\/127\.0\.0\.1:1/,
      mend: /`streamPush`.*stream\.conf/,
    });
    const unfinished = [/zone edgeward alone holds revision 2/];
    t.match(await point.inspect(), { state: 'loaded', revision: 1, drift: [], unfinished });
    await point.apply(streamPolicy({ revision: 2 }));
    t.match(await point.inspect(), { state: 'loaded', revision: 2, drift: [], unfinished: [] });
  },
);

claim('a zone of the stream module that starts empty is filled, whatever is done about drift', async (t, on) => {
  const edge = await on.startEdge(t, { stream: [{ name: 'billing-db' }] });
  const point = edge.point();
  await point.apply(streamPolicy({ revision: 1 }));
  const before = await point.probe();
  const alone = edge.point({ streamPush: null });
  t.match(await alone.inspect(), { state: 'loaded', revision: 1 });
  await edge.restart();
  await alone.apply(streamPolicy({ revision: 1 }));
  t.not(await point.probe(), before, 'the probe tells');
  t.strictSame(await point.inspect(), { state: 'empty' }, 'half of a point is none');
  await point.apply(streamPolicy({ revision: 1 }));
  t.match((await frame(edge, { call: 'GET state' })).body, { active: { revision: 1 } });
});

claim('an older revision is written to neither zone, also where one of them is empty', async (t, on) => {
  const edge = await on.startEdge(t, { stream: [{ name: 'billing-db' }] });
  const point = edge.point();
  await edge.point({ streamPush: null }).apply(streamPolicy({ revision: 7 }));
  await t.rejects(point.apply(streamPolicy({ revision: 5, allow: ['127.0.0.1'] })), { code: 'EDW_ERR_REVISION_OLDER' });
  t.match((await frame(edge, { call: 'GET state' })).body, { active: null });
  await point.apply(streamPolicy({ revision: 7 }));
  t.match(await point.inspect(), { state: 'loaded', revision: 7, drift: [], unfinished: [] });
});

claim('a zone of the stream module that is too small is named, and http has the policy all the same', async (t, on) => {
  const edge = await on.startEdge(t, { stream: [{ name: 'billing-db' }] });
  const file = join(edge.paths.snippets, 'stream.conf');
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace('zone=edgeward_stream:4m', 'zone=edgeward_stream:64k'));
  await edge.restart();
  const objects = Array.from({ length: 300 }, (_, n) => `db-${n}`);
  const point = edge.point();
  await t.rejects(point.apply(streamPolicy({ revision: 1, objects })), {
    code: 'EDW_ERR_ZONE_TOO_SMALL',
    message: /zone=edgeward_stream:\d+m/,
    mend: /zone=edgeward_stream:\d+m in stream\.conf/,
  });
  t.match((await edge.push({ call: 'state' })).body, { active: { revision: 1 } });
  await writeFile(file, text);
  await edge.restart();
  await point.apply(streamPolicy({ revision: 1, objects }));
});
