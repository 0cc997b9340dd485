/** Groups that are files: what is uploaded is compared by its checksum, mended in place, and cleared away as a whole. */
import t from 'tap';
import { objectPath } from '../driver/icontrol/index.ts';
import { itemOf, startBox, type TestBox } from './fixtures/box.ts';
import { codeOf } from './fixtures/codes.ts';
import { largePolicy, smallPolicy } from './fixtures/policies.ts';
import { wholeRevision } from './fixtures/whole-revision.ts';

const EXTERNAL = 'tm/ltm/data-group/external';
const FILES = 'tm/sys/file/data-group';

const policyOf = (revision: number) => smallPolicy({ revision, allow: [`10.${revision}.0.0/16`] });
const ownPath = (kind: string, name: string): string => objectPath(kind, `/Edgeward/${name}`);

for (const version of ['13.1.3', '17.1.2'] as const) {
  t.test(`TMOS ${version}: small groups and large ones are written, compared, mended and cleared away`, async (t) => {
    const box = await startBox(t, { version });
    const point = box.point({ keptRevisions: 1 });
    const large = largePolicy(2, 50_100);
    await point.apply(policyOf(1));
    await point.apply(large);
    const name = itemOf(
      (await box.admin().list(EXTERNAL)).map(({ name }) => String(name)),
      0,
    );
    t.match(await point.inspect(), { revision: 2, drift: [] });
    t.match(await box.point().inspect(), { revision: 2, drift: [] }, 'a new process believes the checksum');
    t.strictSame([(await point.apply(large)).writes, (await box.point().apply(large)).writes], [0, 0]);

    await replaceFile(box, name);
    t.match(await point.inspect(), { drift: [/eg_s_\w+: it has a file of another content/] });
    await point.apply(large);
    t.match(await point.inspect(), { revision: 2, drift: [] }, 'mended');

    await point.apply(policyOf(3));
    t.strictSame(
      [await box.admin().list(EXTERNAL), await box.admin().list(FILES)],
      [[], []],
      'cleared away with its file',
    );
    t.match(await point.inspect(), { revision: 3, drift: [] });
  });
}

async function replaceFile(box: TestBox, name: string): Promise<void> {
  const bytes = Buffer.from('host 203.0.113.9 := "tcp 443 443 allow r",\n');
  const sourcePath = await box.admin().upload('theirs', bytes.length, [bytes]);
  await box.admin().modify(ownPath(FILES, name), { sourcePath });
}

t.test('an upload that breaks, and a file that was left behind, cost nothing but another attempt', async (t) => {
  const box = await startBox(t);
  const point = box.point();
  const large = largePolicy(2, 50_100);
  await point.apply(policyOf(1));
  // A broken upload is begun anew once by itself.
  const breaks = [
    { path: 'file-transfer/uploads', after: 2, times: 2 },
    { path: FILES, after: 0, times: 1 },
    { path: EXTERNAL, after: 0, times: 1 },
  ];
  for (const fault of breaks) {
    box.unit.inject({ kind: 'reset', method: 'POST', ...fault });
    t.equal(await codeOf(() => point.apply(large)), 'EDW_ERR_POINT_UNREACHABLE', fault.path);
    t.equal(await wholeRevision(box.point()), 1);
  }
  await point.apply(large);
  t.match(await point.inspect(), { revision: 2, drift: [] });

  box.unit.inject({ kind: 'reset', method: 'POST', path: EXTERNAL });
  await t.rejects(point.apply(largePolicy(3, 50_200)));
  await point.apply(policyOf(4));
  t.strictSame((await box.admin().list(FILES)).length, 1, 'a file whose group never came is cleared away');
});
