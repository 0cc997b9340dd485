/** What the agent reads in its state folder, where somebody else may have put anything in the place of a file. */
import { execFileSync } from 'node:child_process';
import { mkdir, symlink, truncate, writeFile } from 'node:fs/promises';
import t from 'tap';
import { NO_STATE } from '../../src/agent-state.ts';
import { openLastKnown } from '../../src/last-known.ts';

const ref = { revision: 1, hash: 'a'.repeat(64) };

t.test('what stands in the place of a file and is none is not read, not waited for, and told', async (t) => {
  const places: Record<string, (path: string) => unknown> = {
    'a pipe': (path) => execFileSync('mkfifo', [path]),
    'a link': (path) => symlink('elsewhere', path),
    'a link to what has no end': (path) => symlink('/dev/zero', path),
    'a folder': (path) => mkdir(path),
    'a file without end': (path) => writeFile(path, '').then(() => truncate(path, 2 ** 40)),
  };
  for (const [name, put] of Object.entries(places)) {
    const dir = t.testdir({ elsewhere: JSON.stringify({ ...NO_STATE, current: ref }) });
    await put(`${dir}/state.json`);
    const damage: string[] = [];
    const onDamage = (words: string): number => damage.push(words);
    const known = await openLastKnown({ stateDir: dir, aud: 'host-db', keys: () => [], onDamage });
    t.strictSame(known.state(), NO_STATE, name);
    await mkdir(`${dir}/policies`);
    await put(`${dir}/policies/1-${ref.hash.slice(0, 16)}.policy`);
    t.equal(await known.policy(ref), null, name);
    t.equal(damage.length, 2, `${name}: both are told`);
  }
});
