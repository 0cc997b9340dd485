/** Names that JavaScript, a file system or a subject knows for something else, through the whole of the last hop. */
import { createFileTransport, natsLayout } from '@edgeward/policy-feed';
import { canonicalJson, isName, parseCanonical } from '@edgeward/policy-format';
import t from 'tap';
import { createSignedWorld, sliceDocuments } from '../kit/signed-world.ts';
import { openVictim } from './victim.ts';

/** Good names, all of them: nobody forbids a workload to be called so. */
const ODD = ['constructor', 'hasOwnProperty', 'toString', 'valueOf', 'prototype', 'then', 'length', 'isPrototypeOf'];
const NEVER = [
  '__proto__',
  '..',
  '.',
  '',
  '../x',
  'a/b',
  'a\\b',
  'a\n',
  'a b',
  'a%2fb',
  '-a',
  'a'.repeat(64),
  'é',
  'a*',
  'a>',
];

t.test('an object, a rule, a label and a network may have any name, and mean nothing else by it', async (t) => {
  for (const name of ODD) {
    const world = await createSignedWorld();
    const slices = sliceDocuments([
      {
        ...{ kind: 'VirtualServer', name, bind: name, point: name, ports: ['tcp/443'], mode: 'enforce' },
        labels: { [name]: name },
      },
      { kind: 'Network', name, cidrs: ['192.0.2.0/24'] },
      {
        kind: 'Policy',
        name,
        rules: [
          { id: name, from: [{ workloads: `${name} == '${name}'`, within: ['10.30.0.0/16'] }], to: `has(${name})` },
          { id: `${name}-2`, from: [{ network: name }], to: `${name} == '${name}'` },
        ],
      },
    ]);
    const [group] = slices[0]?.groups.filter(({ kind }) => kind === 'workloads') ?? [];
    await world.publish(slices, { members: { [group?.id ?? '']: ['10.30.0.1'] } });
    const offered = { blob: world.blob, root: world.rootDocument };
    const victim = await openVictim(name, world.pinned, offered, world.nowMs);
    t.teardown(() => victim.close());
    t.equal(await victim.head(world.head(name)), null, name);
    const judge = victim.judge();
    const asked = (from: string, to: string) => judge({ from, to, port: 'tcp/443', method: 'GET', path: '/' });
    t.ok(asked('10.30.0.1', name));
    t.ok(asked('192.0.2.9', name));
    t.notOk(asked('10.30.0.2', name));
    for (const other of ODD.filter((it) => it !== name)) t.notOk(asked('10.30.0.1', other), `${other} is no object`);
    await victim.restart();
    t.ok(victim.judge()({ from: '10.30.0.1', to: name, port: 'tcp/443', method: 'GET', path: '/' }), 'from disk too');
  }
});

t.test('what is no name never becomes a path or a subject', async (t) => {
  const transport = createFileTransport({ folder: t.testdir({ heads: {}, 'secret.json': '{}' }) });
  const signal = new AbortController().signal;
  for (const name of NEVER) {
    t.notOk(isName(name), JSON.stringify(name));
    await t.rejects(transport.next(name, null, { waitMs: 0, signal }), { code: 'EDW_ERR_STORE_NO_POINT' });
  }
  for (const name of [...ODD, 'a.b', 'a-b', 'a_b', 'A.B-c_9']) {
    t.ok(isName(name));
    t.match(natsLayout.headSubject(name), /^\$KV\.edgeward_heads\.[A-Za-z0-9_=-]+$/, 'one token');
    t.equal(natsLayout.pointOfToken(natsLayout.pointToken(name)), name);
  }
});

t.test('a key that is no key is in no document, however it is written', async (t) => {
  const texts = ['{"__proto__":1}', '{"a":{"__proto__":{"b":1}}}', '{"\\u005f_proto__":1}', '[{"__proto__":null}]'];
  for (const text of texts)
    t.throws(() => parseCanonical(Buffer.from(text), 'it', 1e6), { code: 'EDW_ERR_FORMAT_NOT_CANONICAL' }, text);
  for (const name of ODD) {
    const value = parseCanonical(Buffer.from(canonicalJson({ [name]: 1 })), 'it', 1e6) as Record<string, unknown>;
    t.ok(Object.hasOwn(value, name), name);
  }
  t.equal(({} as Record<string, unknown>).b, undefined);
});
