/** The contract's fixture for an NGINX that judges requests and connections: two zones, and a fault in either. */
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CompiledPolicy } from '@edgeward/policy';
import type { Edge, OnNginx } from '@edgeward/test/kit';
import type { ContractFixture } from '../../../enforcement-point/src/contract-test.ts';
import { type NameOf, namesUnder } from '../../driver/entry-names.ts';
import { closing } from '../fixtures/closing.ts';
import { startCuttingProxy } from '../fixtures/cutting-proxy.ts';
import { streamPolicy } from './connecting.ts';
import { startCuttingFrames } from './cutting-frames.ts';
import { frame, tamperWithFrame } from './frames.ts';

/** Names in the zones are made with it: what two fixtures hold is compared. */
const TOKEN = 'of-the-contract-of-drivers';

export async function makeBothZonesFixture(on: Pick<OnNginx, 'startEdge'>): Promise<ContractFixture> {
  const teardowns: (() => Promise<void>)[] = [];
  const edge = await on.startEdge(
    { teardown: (run) => teardowns.push(run) },
    { stream: [{ name: 'billing-db' }], token: TOKEN },
  );
  const neighbour = join(dirname(edge.paths.lastKnownFile), 'neighbour');
  await writeFile(neighbour, 'of somebody else');
  let cutFrom = Number.POSITIVE_INFINITY;
  const http = await startCuttingProxy(edge.pushUrl);
  const writes = (): number => http.writes() + frames.writes();
  const frames = await startCuttingFrames(edge.streamPushUrl ?? '', () => writes() >= cutFrom);
  teardowns.unshift(http.close, frames.close);
  const policies: [CompiledPolicy, CompiledPolicy] = [
    streamPolicy({ revision: 1, allow: ['127.0.0.1'], objects: ['billing-db', 'orders-db'] }),
    streamPolicy({ revision: 2, allow: ['127.0.0.1', '127.7.0.0/16'] }),
  ];
  const pushes = { push: http.url, streamPush: frames.url };
  return {
    policyA: policies[0],
    policyB: policies[1],
    open: async () => edge.point({ ...pushes, collectAfterMs: 20 }),
    readState: async () => [await readZone(httpZone(edge), policies), await readZone(streamZone(edge), policies)],
    readForeign: () =>
      Promise.all([edge.paths.configFile, edge.paths.tokenFile, neighbour].map((it) => readFile(it, 'utf8'))),
    writes,
    tamper: async () => {
      const rules = (await streamZone(edge).keys()).find((key) => key.includes('#'));
      await tamperWithFrame(edge, rules ?? '', '[]');
    },
    failAtWrite: (n) => {
      cutFrom = writes() + n;
      http.failAtWrite(n);
    },
    unreach: () => {
      http.unreach();
      frames.unreach();
    },
    mend: () => {
      cutFrom = Number.POSITIVE_INFINITY;
      http.mend();
      frames.mend();
    },
    restart: edge.restart,
    close: closing(teardowns),
  };
}

interface ZoneReading {
  active(): Promise<{ hash: string } | null>;
  keys(): Promise<string[]>;
  digest(keys: string[]): Promise<object>;
  lastKnown: string;
  nameOf: NameOf;
}

interface State {
  active: { hash: string } | null;
}

function httpZone(edge: Edge): ZoneReading {
  return {
    active: async () => ((await edge.push({ call: 'state' })).body as State).active,
    keys: async () => ((await edge.push({ call: 'keys' })).body as string[]).sort(),
    digest: async (keys) => (await edge.push({ method: 'POST', call: 'digest', body: keys.join('\n') })).body as object,
    lastKnown: edge.paths.lastKnownFile,
    nameOf: namesUnder(edge.token),
  };
}

function streamZone(edge: Edge): ZoneReading {
  return {
    active: async () => ((await frame(edge, { call: 'GET state' })).body as State).active,
    keys: async () => ((await frame(edge, { call: 'GET keys', body: '0' })).body as { keys: string[] }).keys.sort(),
    digest: async (keys) => (await frame(edge, { call: 'POST digest', body: keys.join('\n') })).body as object,
    lastKnown: `${edge.paths.lastKnownFile}-stream`,
    nameOf: namesUnder(edge.token),
  };
}

/** Bounded: what stays after 5 s of waiting is part of the state, and shows in the comparison. */
async function readZone(zone: ZoneReading, policies: CompiledPolicy[]): Promise<unknown> {
  const active = await zone.active();
  const inForce = policies.find(({ hash }) => hash === active?.hash);
  const ids = inForce === undefined ? [] : [inForce, ...inForce.objects].map(({ hash }) => zone.nameOf(hash));
  const isLeft = (key: string): boolean => !ids.some((id) => key.replace('@', '').startsWith(id));
  let keys = await zone.keys();
  for (let attempt = 0; attempt < 250 && keys.some(isLeft); attempt += 1) {
    await sleep(20);
    keys = await zone.keys();
  }
  const lastKnown = await readFile(zone.lastKnown, 'utf8').catch(() => null);
  return { active, keys, digest: { ...(await zone.digest(keys)), bootId: null }, lastKnown };
}
