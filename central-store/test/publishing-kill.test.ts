/** EDGEWARD_RUNS is the number of kills, EDGEWARD_SEED the seed. */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { digestOf, headOf, memberIndexOf, payloadOf, type SignedDocument } from '@edgeward/policy-format';
import t from 'tap';
import { childEnvironment } from '../../test/kit/child-environment.ts';
import { startable } from '../../test/kit/program.ts';

const runs = Number(process.env.EDGEWARD_RUNS ?? 6);
const seed = Number(process.env.EDGEWARD_SEED ?? Date.now() % 1_000_000);
const program = startable('central-store/test/publishing-process.ts');

interface Served {
  revision: number;
  stateRoot: string;
}

t.test(`killed anywhere, no head is below one that was served, and none is half (seed ${seed})`, async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'edgeward-kill-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  const greatest = new Map<string, Served>();
  let heads = 0;
  for (let run = 0; run < runs; run += 1) {
    const said = await runAndKill(dir, seed + run, (seed * (run + 3) * 7919) % 400);
    for (const { point, revision, stateRoot } of said) {
      heads += 1;
      const before = greatest.get(point);
      if (before !== undefined) {
        t.ok(revision >= before.revision, `${point}: ${revision} after ${before.revision}`);
        if (revision === before.revision) t.equal(stateRoot, before.stateRoot, `${point}: one number, one state`);
      }
      greatest.set(point, { revision, stateRoot });
    }
    await wholeMirror(t, dir, greatest);
  }
  t.ok(heads > runs, `${heads} heads were served`);
});

async function runAndKill(dir: string, ofRun: number, afterMs: number): Promise<(Served & { point: string })[]> {
  const child = spawn(process.execPath, ['--conditions=edgeward-source', program, dir, String(ofRun)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: childEnvironment(),
  });
  let text = '';
  let begin = (): void => {};
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    if (text.includes('begun\n')) begin();
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await Promise.race([begun, ended]);
  await sleep(afterMs);
  child.kill('SIGKILL');
  await ended;
  const lines = text
    .split('\n')
    .slice(0, -1)
    .filter((line) => line !== 'begun');
  return lines.map((line) => {
    const [point = '', revision = '', stateRoot = ''] = line.split(' ');
    return { point, revision: Number(revision), stateRoot };
  });
}

/** What lies there is whole: each head, and everything that it names. */
async function wholeMirror(t: Tap, dir: string, served: ReadonlyMap<string, Served>): Promise<void> {
  const mirror = join(dir, 'mirror');
  const files = await readdir(join(mirror, 'heads'));
  t.strictSame(
    files.filter((file) => !file.endsWith('.json')),
    [],
  );
  for (const file of files) {
    const document = JSON.parse(await readFile(join(mirror, 'heads', file), 'utf8')) as SignedDocument;
    const head = headOf(payloadOf(document, 'a head', 16_384));
    t.ok(head.revision >= (served.get(head.aud)?.revision ?? 0), `${file} is not below what was served`);
    const blob = async (digest: string): Promise<Buffer> => {
      const bytes = await readFile(join(mirror, 'blobs/sha256', digest));
      if (digestOf(bytes) !== digest) t.fail(`${digest} is half`);
      return bytes;
    };
    await Promise.all([blob(head.approval.digest), blob(head.rules.digest)]);
    const { pages } = memberIndexOf(await blob(head.members.digest));
    await Promise.all(pages.map(({ digest }) => blob(digest)));
  }
}

type Tap = Pick<typeof t, 'ok' | 'equal' | 'strictSame' | 'fail'>;
