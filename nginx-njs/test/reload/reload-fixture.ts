/** The contract's fixture for an NGINX in reload mode: what is counted and cut are the writes on disk, and reloads. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgewardError } from '@edgeward/runtime';
import type { ContractFixture } from '../../../enforcement-point/src/contract-test.ts';
import type { NginxProcess } from '../../driver/process/index.ts';
import { diskOf, type SnapshotDisk } from '../../driver/snapshot/index.ts';
import { smallPolicy } from '../fixtures/policies.ts';
import { type ReloadStandOptions, startedStand } from './reload-stand.ts';

export async function makeReloadFixture(options: ReloadStandOptions): Promise<ContractFixture> {
  const teardowns: (() => Promise<void>)[] = [];
  const stand = await startedStand({ teardown: (run) => teardowns.push(run) }, options);
  const cut = { made: 0, failAt: Number.POSITIVE_INFINITY };
  const counted = async <T>(write: () => Promise<T>): Promise<T> => {
    cut.made += 1;
    if (cut.made >= cut.failAt) throw new EdgewardError('EDW_ERR_STATE_WRITE', 'cut off', { mend: 'none' });
    return write();
  };
  const disk: SnapshotDisk = {
    write: (path, text) => counted(() => diskOf.write(path, text)),
    link: (target, path) => counted(() => diskOf.link(target, path)),
    remove: (path) => counted(() => diskOf.remove(path)),
  };
  const nginx: NginxProcess = { ...stand.process, reload: () => counted(() => stand.process.reload()) };
  const current = join(stand.snapshots, 'current');
  await writeFile(join(stand.snapshots, 'README'), 'of somebody else');
  return {
    policyA: smallPolicy({ revision: 1, allow: ['127.0.0.1'], objects: ['order-front', 'crm'] }),
    policyB: smallPolicy({ revision: 2, allow: ['127.0.0.1', '127.7.0.0/16'], objects: ['order-front'] }),
    open: async () => stand.point({ disk, process: nginx }),
    async readState() {
      const actual = await stand.first.inspect();
      return { ...actual, unfinished: [], files: await filesIn(current) };
    },
    readForeign: async () => [
      await readFile(stand.configFile, 'utf8'),
      await readFile(join(stand.snapshots, 'README'), 'utf8'),
      (await readdir(join(stand.folder, 'snippets'))).sort(),
    ],
    writes: () => cut.made,
    tamper: () => writeFile(join(current, 'http.conf'), 'map "" $edgeward_native { default "allow mode-off -"; }\n'),
    failAtWrite(n) {
      cut.failAt = cut.made + n;
    },
    unreach: () => stand.kill(),
    async mend() {
      cut.failAt = Number.POSITIVE_INFINITY;
      // Whatever was cut, NGINX is up; a start reads what the link leads to.
      if (!(await isUp(stand.process))) await stand.start();
    },
    restart: () => stand.restart(),
    async close() {
      for (const run of teardowns.splice(0)) await run();
    },
  };
}

const isUp = (nginx: NginxProcess): Promise<boolean> =>
  nginx.workers().then(
    () => true,
    () => false,
  );

/** Without the name of the generation, which is another one each time. */
async function filesIn(folder: string): Promise<unknown> {
  const names = (await readdir(folder)).filter((name) => !name.endsWith('.bin')).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return names.map((name, i) => [
    name,
    name === 'manifest.json' ? '' : (texts[i] ?? '').replaceAll(/\bg[0-9a-z]{9}\b/g, 'GENERATION'),
  ]);
}
