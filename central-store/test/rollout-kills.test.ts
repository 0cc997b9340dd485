/**
 * The store is killed at a write of a roll-out, and started again: it ends as it would have, no point was ahead of what the
 * record says, and the record verifies. A sample of the writes; `EDGEWARD_RUNS=20` takes all of them.
 */
import { spawn } from 'node:child_process';
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Head, payloadOf, signedDocumentOf } from '@edgeward/policy-format';
import t, { type Test } from 'tap';
import { childEnvironment } from '../../test/kit/child-environment.ts';
import { startable } from '../../test/kit/program.ts';
import { type RecordEntry, slicesOf, verifyRecord } from '../src/index.ts';
import { bundle, folderOf, HOUR_MS, openWorld, type World } from './decisions/world.ts';

const CHILD = startable('central-store/test/rollout-killed.ts');
const POINTS = ['edge-1', 'edge-2', 'edge-3'];

const documents = (rule: string) => {
  const fronts = POINTS.map((point, i) => ({
    ...{ kind: 'VirtualServer', name: `front-${point}`, point, bind: `front-${point}`, ports: ['tcp/443'] },
    ...{ mode: 'enforce', labels: { app: 'shop', tier: i === 0 ? 'canary' : 'main' } },
  }));
  const from = [{ workloads: "app == 'crm'", within: ['10.30.0.0/16'], max: 200 }];
  const rules = [{ id: rule, from, to: "app == 'shop'", ports: ['tcp/443'] }];
  return bundle(...fronts, { kind: 'Policy', name: 'shop', rules });
};

interface Ended {
  state: string;
  versions: string[];
  writes: number;
}

/** Null when it was killed. */
function run(t: Test, dir: string, scenario: string, killAt: number): Promise<Ended | null> {
  return new Promise((resolve, reject) => {
    const args = ['--conditions=edgeward-source', CHILD, dir, scenario, String(killAt)];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env: childEnvironment() });
    t.teardown(() => child.kill('SIGKILL'));
    let out = '';
    let err = '';
    child.stdout.on('data', (data) => {
      out += data;
    });
    child.stderr.on('data', (data) => {
      err += data;
    });
    child.on('close', (code, signal) => {
      if (signal === 'SIGKILL') resolve(null);
      else if (code === 0) resolve(JSON.parse(out) as Ended);
      else reject(new Error(`the child ended with ${code}: ${err}`));
    });
  });
}

/** Version 1 everywhere, and version 2 published by a store that was killed before it did anything about it. */
async function prepared(t: Test): Promise<{ dir: string; world: World; newer: Set<string> }> {
  const world = await openWorld(t);
  await world.publish(documents('crm-1'));
  await world.store.close();
  const first = await run(t, world.dir, 'good', 0);
  t.match(first, { state: 'done', versions: ['edge-1=1', 'edge-2=1', 'edge-3=1'] });
  await world.reopen();
  await world.publish(documents('crm-2'), { returnUntilMs: world.clock.now() + HOUR_MS });
  await world.store.close();
  const newer = new Set(slicesOf(documents('crm-2')).map(({ digest }) => digest));
  return { dir: world.dir, world, newer };
}

/** Entries of the record as far as they are on disk. */
function told(dir: string): string[] {
  const folder = join(dir, 'record');
  const files = readdirSync(folder).filter((name) => name.endsWith('.ndjson'));
  const lines = files.flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n').slice(0, -1));
  return lines.map((line) => {
    const { action, target, outcome } = JSON.parse(line) as RecordEntry;
    return `${action} ${target} ${outcome}`;
  });
}

/** Points whose head in the mirror is of version 2. */
function aheadIn(dir: string, newer: ReadonlySet<string>): string[] {
  return POINTS.filter((point) => {
    const document = signedDocumentOf(JSON.parse(readFileSync(join(dir, 'mirror/heads', `${point}.json`), 'utf8')));
    return newer.has((payloadOf(document, 'the head', 1 << 20) as Head).rules.digest);
  });
}

const EXPECTED = {
  good: { state: 'done', versions: ['edge-1=2', 'edge-2=2', 'edge-3=2'] },
  refusing: { state: 'returned', versions: ['edge-1=1', 'edge-2=1', 'edge-3=1'] },
};

for (const [scenario, expected] of Object.entries(EXPECTED)) {
  t.test(`killed at any write, a ${scenario} roll-out ends as it would have`, { timeout: 600_000 }, async (t) => {
    const { dir, world, newer } = await prepared(t);
    const logKeys = world.store.roots.logKeys();
    const whole = folderOf(t);
    cpSync(dir, whole, { recursive: true });
    const undisturbed = await run(t, whole, scenario, 0);
    t.match(undisturbed, expected);
    t.comment(`${undisturbed?.writes} writes`);
    const writes = undisturbed?.writes ?? 0;
    t.ok(writes > 15, `there are ${writes} writes`);
    const sampled = Math.min(writes, Math.ceil(5 * Number(process.env.EDGEWARD_RUNS ?? 1)));
    const shift = Math.floor((Math.random() * writes) / sampled);
    for (let i = 0; i < sampled; i += 1) {
      const killAt = 1 + shift + Math.floor((i * writes) / sampled);
      const copy = folderOf(t);
      cpSync(dir, copy, { recursive: true });
      const ended = await run(t, copy, scenario, killAt);
      if (killAt <= writes) t.equal(ended, null, `killed at write ${killAt} of ${writes}`);
      const waves = told(copy).filter((it) => it === 'rollout.wave version/2 allowed').length;
      const allowed = waves === 0 ? [] : waves === 1 ? ['edge-1'] : POINTS;
      const ahead = aheadIn(copy, newer);
      t.ok(
        ahead.every((point) => allowed.includes(point)),
        `${waves} waves are on the record, and ${ahead.join(', ')} had version 2`,
      );
      if (scenario === 'refusing') t.ok(waves < 2, 'nobody but the canary ever had it');
      t.match(await run(t, copy, scenario, 0), expected, `started again after write ${killAt}`);
      t.strictSame((await verifyRecord(join(copy, 'record'), logKeys, [])).problems, [], 'the record holds');
    }
  });
}
