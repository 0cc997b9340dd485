import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLogger } from '@edgeward/runtime';
import t from 'tap';
import { offerDirectory } from '../src/directory-source.ts';
import { changed, policy, rule, site } from './fixtures/site.ts';
import { stage } from './fixtures/stage.ts';

const linesOf = (of: typeof site): string =>
  Object.values(of)
    .map((it) => `${JSON.stringify(it)}\n`)
    .join('');

t.test('a directory is read at the start, and whatever goes wrong with it is told', async (t) => {
  const dir = t.testdir({ 'site.ndjson': linesOf(site) });
  const it = await stage(t);
  const logger = createLogger({ level: 'silent' });
  let fails = true;
  const offer: typeof it.publisher.offer = async (...given) => {
    if (fails) throw new RangeError('a bug');
    await it.publisher.offer(...given);
  };
  const source = offerDirectory(dir, { ...it.publisher, offer }, logger);
  t.teardown(() => source.close());
  await source.start();
  t.match(it.publisher.status(), { state: 'none', errors: [{ code: 'EDW_ERR_INTERNAL', message: /a bug/ }] });
  fails = false;
  writeFileSync(join(dir, 'more.yaml'), '# a change, so that it is read again\n');
  for (let turn = 0; turn < 1_500 && it.publisher.status().state === 'none'; turn += 1)
    await new Promise((resolve) => setTimeout(resolve, 20));
  t.match(it.publisher.status(), { state: 'current', revision: 1, errors: [] });
});

t.test('more warnings than a call can have arguments are only warnings', async (t) => {
  const server = (i: number): object => ({ ...site.front, name: `s${i}`, bind: `s${i}` });
  const servers = Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`s${i}`, server(i)]));
  const rules = Array.from({ length: 400 }, (_, i) => rule({ id: `r${i}`, ports: ['tcp/8443'] }));
  const it = await stage(t);
  await it.offer(changed(site, { ...servers, policy: policy([rule(), ...rules]) }));
  t.match(it.publisher.status(), { state: 'current', revision: 1, errors: [] });
  t.equal(it.publisher.status().warnings.length, 400 * 401);
});
