/** A real store with its people, in a process of its own that is killed with SIGKILL and started again on the same folder. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleOf, computeApprovalPayload, verifyPredecessor } from '@edgeward/central-store';
import { addSignature, type SignedDocument, sign, verifyFirstRoot } from '@edgeward/policy-format';
import type { CertificateFiles } from '@edgeward/test/kit';
import type { Test } from 'tap';
import { type Answer, type Ask, ask, openServedStore, type ServedStore } from '../../central-store/test/serving-kit.ts';
import { childEnvironment } from '../kit/child-environment.ts';
import { startable } from '../kit/program.ts';

export interface KillableStore {
  url: string;
  /** The first trust root, as it is carried to whoever follows. */
  rootFile: string;
  /** Over the network, with this certificate. */
  ask(who: CertificateFiles, path: string, options?: Ask): Promise<Answer>;
  who: ServedStore['who'];
  /** Proposed by one person, approved by another, published by a third, over HTTP. The answer is the version. */
  publish(documents: readonly object[], reason: string): Promise<number>;
  /** Replaces the inventory; nobody waits for what comes of it. */
  inventory(...workloads: object[]): Promise<void>;
  start(): Promise<void>;
  kill(): Promise<void>;
}

const START_MS = 20_000;

export async function killableStore(t: Test): Promise<KillableStore> {
  // In this process only to be made: it has its folder, its keys, its people and its port then.
  const made = await openServedStore(t);
  await made.stop();
  const { config, certificates, keys } = made;
  const configFile = join(made.dir, '..', 'store.json');
  await writeFile(configFile, JSON.stringify(config));
  let child: ChildProcess | null = null;

  const self: KillableStore = {
    url: `https://127.0.0.1:${config.listen.port}`,
    rootFile: join(made.dir, 'mirror', 'roots', '1.json'),
    who: made.who,
    ask: (who, path, options) => ask(config.listen.port, certificates.ca, who, path, options),
    async publish(documents, reason) {
      const bundle = bundleOf(
        documents.map((value) => ({ file: 'x.yaml', value, locate: () => ({ line: 1, column: 1 }) })),
      );
      const root = verifyFirstRoot(JSON.parse(await readFile(self.rootFile, 'utf8')) as SignedDocument);
      const nowMs = Date.now();
      const previous = await verifyPredecessor({ ...(await published(self)), rootAt: () => root, nowMs });
      const { payload } = computeApprovalPayload({ bundle, previous, root, proposedBy: 'ada', reason, nowMs });
      const approval = await sign(payload, [keys.ada]);
      const draft = { approval, documents: Buffer.from(bundle.bytes).toString() };
      const { id } = await done(self, 'ada', '/v1/proposals', draft);
      const document = await addSignature({ ...approval, signatures: [] }, 'edgeward-approval/1', keys.cleo);
      await done(self, 'cleo', `/v1/proposals/${id}/signatures`, { document, reason: 'looked at it' });
      const { version } = await done(self, 'eve', `/v1/proposals/${id}/publish`, {});
      return Number(version);
    },
    async inventory(...workloads) {
      const lines = workloads.map((it) => `${JSON.stringify({ kind: 'Workload', ...it })}\n`);
      const file = join(config.inventory, 'machines.ndjson');
      await writeFile(`${file}.new`, lines.join(''));
      await rename(`${file}.new`, file);
    },
    async start() {
      const started = fork(startable(join(import.meta.dirname, 'store-process.ts')), [configFile], {
        execArgv: ['--conditions=edgeward-source', '--no-warnings'],
        env: childEnvironment(),
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      });
      child = started;
      let said = '';
      started.stderr?.setEncoding('utf8').on('data', (text: string) => {
        said = (said + text).slice(-4000);
      });
      const signal = AbortSignal.timeout(START_MS);
      await Promise.race([
        once(started, 'message', { signal }),
        once(started, 'exit', { signal }).then(() => {
          throw new Error(`the store ended by itself: ${said}`);
        }),
      ]);
    },
    async kill() {
      const killed = child;
      child = null;
      if (killed === null || killed.exitCode !== null || killed.signalCode !== null) return;
      killed.kill('SIGKILL');
      await once(killed, 'exit');
    },
  };
  t.teardown(self.kill);
  return self;
}

/** As the store shows it, to be verified. */
async function published(store: KillableStore): Promise<{ approvals: SignedDocument[]; bundle: Uint8Array }> {
  const author = await store.who('ada');
  const newest = await store.ask(author, '/v1/versions/newest');
  if (newest.status === 404) return { approvals: [], bundle: new Uint8Array() };
  const { approval } = newest.json() as { approval: SignedDocument };
  return { approvals: [approval], bundle: (await store.ask(author, '/v1/versions/newest/documents')).bytes };
}

type Person = Parameters<KillableStore['who']>[0];

async function done(
  store: KillableStore,
  person: Person,
  path: string,
  body: unknown,
): Promise<Record<string, unknown>> {
  const answer = await store.ask(await store.who(person), path, { body });
  if (answer.status >= 300) throw new Error(`${person} ${path}: ${answer.status} ${answer.text}`);
  return answer.json() as Record<string, unknown>;
}
