/** What goes over the wire to a host whose policy only got another number: its real client, its real files, real TLS. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { openHostPolicy } from '@edgeward/host-agent/protocol';
import type { CompiledPolicy } from '@edgeward/policy';
import { compileDocuments } from '@edgeward/test/kit';
import t, { type Test } from 'tap';
import { NO_STATE } from '../../../host-agent/src/agent-state.ts';
import { heldPolicies } from '../../../host-agent/src/held-policies.ts';
import { openLastKnown } from '../../../host-agent/src/last-known.ts';
import { createServiceClient } from '../../../host-agent/src/service-client.ts';
import { calling } from '../fixtures/calling.ts';

const SOURCES = 10_000;

function policyOf(revision: number, sources = SOURCES): CompiledPolicy {
  const from = Array.from({ length: sources }, (_, n) => ({ cidr: `10.${n >> 8}.${n & 255}.${(n * 7) % 251}/32` }));
  const documents = [
    { kind: 'Workload', name: 'db', labels: { app: 'db' }, addresses: ['10.40.0.7'], point: 'host-1', mode: 'enforce' },
    { kind: 'Point', name: 'host-1', management: ['10.99.0.0/24'] },
    { kind: 'Policy', name: 'db', rules: [{ id: 'crm', from, to: "app == 'db'", ports: ['tcp/5432'] }] },
  ];
  return compileDocuments(documents, { revision, point: 'host-1' });
}

interface Wire {
  url: string;
  /** To the client, since it was asked last. */
  bytes(): number;
}

/** Between the two, below TLS. */
async function wireTo(t: Test, port: number): Promise<Wire> {
  let counted = 0;
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    far.on('data', (piece) => {
      counted += piece.length;
    });
    near.pipe(far).pipe(near);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const)
      one.on('error', () => other.destroy()).on('close', () => other.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => new Promise((resolve) => server.close(resolve)));
  const bytes = (): number => {
    const before = counted;
    counted = 0;
    return before;
  };
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, bytes };
}

interface Scene {
  put(policy: CompiledPolicy): void;
  /** As the agent does it: asked, opened, kept. */
  take(etag?: string | null): Promise<CompiledPolicy>;
  /** What the service answered with since it was asked last. */
  forms(): string[];
  wire: Wire;
  /** Where the policies lie. */
  folder: string;
  /** What the service would have sent whole. */
  whole(): Promise<Uint8Array | undefined>;
  last(): Uint8Array;
}

async function scene(t: Test): Promise<Scene> {
  const { key, shelf, certificates, listener } = await calling(t);
  const answered: string[] = [];
  const { newest } = shelf;
  shelf.newest = async (point, asked) => {
    const found = await newest(point, asked);
    answered.push(found?.form ?? 'none');
    return found;
  };
  const wire = await wireTo(t, listener.port);
  const { cert, key: privateKey, ca } = await certificates.point('host-1');
  const keys = [key.publicKey];
  const identity = { point: 'host-1', certificate: cert, key: privateKey, authority: ca, signingKeys: keys };
  const stateDir = join(t.testdirName, 'state');
  const ending = new AbortController();
  const held = heldPolicies(stateDir);
  const client = createServiceClient({
    identity: { v: 1, ...identity, formerKeys: [], service: [] },
    service: [wire.url],
    held,
    ending: ending.signal,
  });
  t.teardown(() => {
    ending.abort();
    client.close();
  });
  const known = await openLastKnown({ stateDir, aud: 'host-1', keys: () => keys, onDamage: (words) => t.fail(words) });
  let [kept, last]: [string | null, Uint8Array] = [null, new Uint8Array()];
  return {
    wire,
    folder: join(stateDir, 'policies'),
    put: (policy) => shelf.put(policy),
    async take(etag = kept) {
      const answer = await client.policy(etag, { wait: true });
      if (answer.state !== 'policy') throw new Error(`it is ${answer.state}`);
      const { floor } = known.state();
      const { head, policy } = await openHostPolicy(answer.signed, { aud: 'host-1', keys, floor });
      const ref = { revision: policy.revision, hash: policy.hash };
      await known.keep(ref, answer.signed);
      await known.switchTo({ ...NO_STATE, floor: { ...ref, issuedAt: head.issuedAt }, current: ref });
      [kept, last] = [answer.etag, answer.signed];
      return policy;
    },
    forms: () => answered.splice(0),
    whole: async () => (await newest('host-1'))?.bytes,
    last: () => last,
  };
}

t.test('of a policy that only got another number the signed head alone goes over the wire', async (t) => {
  const { put, take, forms, wire, whole, last } = await scene(t);
  const policy = policyOf(1);
  put(policy);
  await take();
  const first = wire.bytes();
  t.ok(first > 10_000, `${first} bytes for ${SOURCES} sources`);
  for (const revision of [2, 3, 4_000_000]) {
    put({ ...policy, revision });
    t.strictSame(await take(), { ...policy, revision });
    t.strictSame(Buffer.from(last()), Buffer.from((await whole()) ?? []), 'byte for byte what is signed');
    const bytes = wire.bytes();
    t.ok(bytes < 2_000, `${bytes} bytes for another number`);
  }
  t.strictSame(forms(), ['packed', 'head', 'head', 'head']);
  put(policyOf(4_000_001, SOURCES + 1));
  await take();
  t.strictSame(forms(), ['packed'], 'what changed comes whole');
  put({ ...policy, revision: 4_000_002 });
  await take();
  t.strictSame(forms(), ['packed'], 'and what is not kept any more');
  await take(null);
  t.strictSame(forms(), ['head'], 'an agent that was started anew has its file');
});

t.test('what lies on the host and is not what was signed is asked for whole, once', async (t) => {
  const { put, take, forms, folder } = await scene(t);
  const policy = policyOf(1, 50);
  put(policy);
  await take();
  const fileIn = async (): Promise<string> => join(folder, (await readdir(folder))[0] ?? '');
  const cases: [string, (file: string) => Promise<void>][] = [
    [
      'a byte of it is another',
      async (file) => {
        const bytes = await readFile(file);
        bytes[bytes.length - 60] = 0x20;
        await writeFile(file, bytes);
      },
    ],
    ['it was cut off', async (file) => writeFile(file, (await readFile(file)).subarray(0, -100))],
    ['it is empty', (file) => writeFile(file, '')],
    [
      'it can not be read',
      async (file) => {
        await rm(file);
        await mkdir(file);
      },
    ],
  ];
  let revision = 1;
  for (const [name, spoil] of cases) {
    forms();
    await spoil(await fileIn());
    revision += 1;
    put({ ...policy, revision });
    t.equal((await take()).revision, revision, name);
    t.strictSame(forms(), ['head', 'packed'], name);
    await rm(join(folder), { recursive: true });
    revision += 1;
    put({ ...policy, revision });
    t.equal((await take()).revision, revision);
    t.strictSame(forms(), ['packed'], 'without a file nothing is held');
  }
});
