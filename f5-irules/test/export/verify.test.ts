/** `verify.sh` on a box, in every shell that is here: it finds each difference, and changes nothing. */
import { execFile } from 'node:child_process';
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Icontrol, objectPath } from '../../driver/icontrol/index.ts';
import { planExport, writeExport } from '../../export/index.ts';
import { startBox, type TestBox } from '../fixtures/box.ts';
import { groupNamed, groupNames, rewrite } from '../fixtures/own-state.ts';
import { largePolicy, smallPolicy } from '../fixtures/policies.ts';
import { openConsole } from './fixtures/console.ts';
import { writeFakeTmsh } from './fixtures/fake-tmsh.ts';

const binds = ['/Common/vs_orders', '/Common/vs_crm'];
const http = [{ methods: ['GET'], path: '/v1/*' }, { methods: ['POST'] }];
const policy = smallPolicy({ revision: 0, allow: ['10.1.0.0/16', '2001:db8::/32'], binds, http });
const RULE = '/Edgeward/eg_enforce_l7_v1';

interface Stage {
  box: TestBox;
  /** Runs the script of this export, as the box stands now. */
  verify(shell?: string): Promise<{ code: number; out: string }>;
}

async function stage(t: Test, wanted = policy): Promise<Stage> {
  const place = await mkdtemp(join(tmpdir(), 'edgeward-verify-'));
  t.teardown(() => rm(place, { recursive: true, force: true }));
  const box = await startBox(t);
  const folder = join(place, 'ticket');
  await writeExport(folder, await planExport({ policy: wanted, boxes: [box.admin()], nowMs: 0 }), {
    collector: '192.0.2.10:6514',
  });
  await openConsole(box.admin()).follow(folder, /^(Once|Large|Load|Take away|Attach)/);
  return {
    box,
    async verify(shell = 'sh') {
      const tools = await writeFakeTmsh(await mkdtemp(join(place, 'tools-')), box.unit, box.admin());
      const saved = join(tools, 'saved.conf');
      await writeFile(saved, box.unit.configText());
      const env = { PATH: `${tools}:${process.env.PATH ?? ''}`, EDGEWARD_SAVED_CONFIG: saved };
      const said = await shellRun(shell, [join(folder, 'verify.sh')], env);
      await t.rejects(access(join(tools, 'tmsh.refused')), 'it only lists');
      return said;
    },
  };
}

function shellRun(shell: string, args: string[], env: Record<string, string>): Promise<{ code: number; out: string }> {
  return new Promise((resolve) => {
    execFile(shell, args, { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), out: stdout + stderr });
    });
  });
}

t.test('after the procedure all is as expected, in every shell', async (t) => {
  const { verify } = await stage(t);
  for (const shell of ['sh', 'bash', 'dash']) {
    const { code, out } = await verify(shell);
    t.equal(code, 0, `${shell}: ${out}`);
    t.match(out, /^ok {6}\/Common\/vs_crm$/m);
    t.match(out, /^ok {6}saved$/m);
  }
});

t.test('a large group is compared by its checksum', async (t) => {
  const { box, verify } = await stage(t, largePolicy(0, 50_001));
  t.equal((await verify()).code, 0);
  const [name = ''] = await groupNames(box.admin());
  const text = Buffer.from('host 203.0.113.9 := "tcp 443 443 allow r",\n');
  const sourcePath = await box.admin().upload('mine', text.length, [text]);
  await box.admin().modify(objectPath('tm/sys/file/data-group', `/Edgeward/${name}`), { sourcePath });
  const { code, out } = await verify();
  t.equal(code, 1);
  t.match(out, `DIFFERS /Edgeward/${name}: its file is another one (SHA1:`);
});

t.test('each difference is found and named', async (t) => {
  const cases: Record<string, { change: (box: Icontrol) => Promise<unknown>; says: RegExp }> = {
    'a record of the map': {
      change: (box) => changeRecord(box, 'eg_map', '/Common/vs_crm', '1 off http - - 0 -'),
      says: /eg_map: missing: \/Common\/vs_crm 1 enforce http .*\n.*not of this change: \/Common\/vs_crm 1 off http/,
    },
    'an entry too many': {
      change: (box) => changeRecord(box, 'eg_map', '/Common/vs_old', '1 off http - - 0 -'),
      says: /eg_map: not of this change: \/Common\/vs_old/,
    },
    'a record of a group': {
      change: async (box) => changeRecord(box, await groupNamed(box, 'eg_s_'), '203.0.113.9/32', 'tcp 1 65535 allow r'),
      says: /eg_s_[0-9a-f]{20}: its records are others/,
    },
    'an alternative of requests': {
      change: async (box) => changeRecord(box, await groupNamed(box, 'eg_r_'), '0', 'allow r * * *'),
      says: /eg_r_[0-9a-f]{20}: its records are others/,
    },
    'a line of a rule': {
      change: async (box) => {
        const path = objectPath('tm/ltm/rule', RULE);
        const text = String((await box.get(path))?.apiAnonymous);
        await box.modify(path, { apiAnonymous: text.replace('priority 10', 'priority 11') });
      },
      says: /eg_enforce_l7_v1: its text is another one/,
    },
    'a rule that is not attached': {
      change: (box) =>
        box.modify(objectPath('tm/ltm/virtual', '/Common/vs_crm'), { rules: ['/Edgeward/eg_enforce_l4_v1'] }),
      says: /\/Common\/vs_crm: \/Edgeward\/eg_enforce_l7_v1 is not attached/,
    },
    'a virtual server that is gone': {
      change: (box) => box.remove(objectPath('tm/ltm/virtual', '/Common/vs_crm')),
      says: /\/Common\/vs_crm: there is no such virtual server/,
    },
  };
  for (const [name, { change, says }] of Object.entries(cases)) {
    const { box, verify } = await stage(t);
    await change(box.admin());
    const { code, out } = await verify();
    t.equal(code, 1, name);
    t.match(out, says, name);
  }
});

function changeRecord(box: Icontrol, group: string, name: string, data: string): Promise<void> {
  return rewrite(box, group, (records) => [...records.filter((record) => record.name !== name), { name, data }]);
}

t.test('a change that was not saved is told', async (t) => {
  const place = await mkdtemp(join(tmpdir(), 'edgeward-verify-'));
  t.teardown(() => rm(place, { recursive: true, force: true }));
  const box = await startBox(t);
  await writeExport(join(place, 'ticket'), await planExport({ policy, boxes: [box.admin()], nowMs: 0 }), {
    collector: '192.0.2.10:6514',
  });
  const console = openConsole(box.admin());
  await console.follow(join(place, 'ticket'), /^(Once|Load|Attach)/);
  const tools = await writeFakeTmsh(join(place, 'tools'), box.unit, box.admin());
  await writeFile(join(place, 'saved.conf'), '');
  const env = { PATH: `${tools}:${process.env.PATH ?? ''}`, EDGEWARD_SAVED_CONFIG: join(place, 'saved.conf') };
  const { code, out } = await shellRun('sh', [join(place, 'ticket', 'verify.sh')], env);
  t.equal(code, 1);
  t.match(out, 'DIFFERS not saved');
});

t.test('without tmsh it says where to run it', async (t) => {
  const { code, out } = await shellRun('sh', [new URL('../../export/verify.sh', import.meta.url).pathname], {
    PATH: '/usr/bin:/bin',
  });
  t.equal(code, 2);
  t.match(out, /there is no tmsh here/);
});

t.test('the script holds nothing of a policy', async (t) => {
  const { box } = await stage(t);
  const place = await mkdtemp(join(tmpdir(), 'edgeward-verify-'));
  t.teardown(() => rm(place, { recursive: true, force: true }));
  const change = await planExport({ policy, boxes: [box.admin()], nowMs: 0 });
  await writeExport(join(place, 'ticket'), change);
  const own = await readFile(new URL('../../export/verify.sh', import.meta.url), 'utf8');
  t.equal(await readFile(join(place, 'ticket', 'verify.sh'), 'utf8'), own);
});
