/** A take-over on real rules and a real state folder, with a service as the test wants it, by a clock that the test moves. */

import type { CompiledPolicy } from '@edgeward/policy';
import { generateSigningKey } from '@edgeward/policy-format';
import { type Clock, createLogger } from '@edgeward/runtime';
import { startHost, type TestHost } from '@edgeward/test/kit';
import type { Test } from 'tap';
import { createHostPoint, createNetfilter, createToolRun, type ToolCall } from '../../driver/index.ts';
import { signHostPolicy } from '../../protocol/index.ts';
import { readInForce } from '../../src/in-force.ts';
import { openLastKnown } from '../../src/last-known.ts';
import type { Surroundings } from '../../src/safety/judgement.ts';
import { createStanding } from '../../src/standing.ts';
import { createTakeOver, type Outcome, type TakeOver } from '../../src/take-over.ts';
import { hostPolicy } from '../fixtures/host-fixture.ts';
import { HOST_OPTIONS } from '../fixtures/host-options.ts';
import { kernelVerdicts } from './kernel-verdicts.ts';

const key = await generateSigningKey();
export const [FRIEND, OTHER] = ['10.1.0.5', '10.2.0.5'] as const;
const PORT = 'udp/5432';

/** Time stands still until it is moved, and what is due then runs in order. */
function handMoved(): Clock & { move(ms: number): Promise<void>; step(ms: number): void } {
  let [nowMs, stepMs] = [Date.UTC(2026, 10, 23), 0];
  let waiting: { atMs: number; run: () => void }[] = [];
  return {
    now: () => nowMs + stepMs,
    after(delayMs, run) {
      const one = { atMs: nowMs + delayMs, run };
      waiting.push(one);
      return () => {
        waiting = waiting.filter((it) => it !== one);
      };
    },
    step: (ms) => {
      stepMs += ms;
    },
    async move(ms) {
      const endMs = nowMs + ms;
      for (let turns = 0; turns < 10_000; turns += 1) {
        await new Promise((resolve) => setImmediate(resolve));
        const [next] = waiting.filter(({ atMs }) => atMs <= endMs).toSorted((a, b) => a.atMs - b.atMs);
        if (next === undefined) break;
        nowMs = Math.max(nowMs, next.atMs);
        waiting = waiting.filter((it) => it !== next);
        next.run();
      }
      nowMs = endMs;
    },
  };
}

export interface Scene {
  takeOver: TakeOver;
  clock: ReturnType<typeof handMoved>;
  service: {
    /** It can be reached over a new connection. */
    there: boolean;
    /** It was there when it was asked last. */
    reached: boolean;
    /** What a call over a new connection comes to; by itself as `there` says. */
    answer: () => Promise<void>;
  };
  around: Omit<Surroundings, 'enforcing'>;
  offer(revision: number, allow: string[]): Promise<Outcome>;
  offerPolicy(policy: CompiledPolicy): Promise<Outcome>;
  /** As the service would send it. */
  sign(policy: CompiledPolicy): Promise<Uint8Array>;
  offerBytes(signed: Uint8Array, revision: number): Promise<Outcome>;
  /** Of FRIEND and OTHER. */
  verdicts(): Promise<string[]>;
  /** As after a boot: no rule is there. */
  clear(): Promise<void>;
  /** Which programs of the host give no answer. */
  tools: { fail: (call: ToolCall) => boolean };
  stateDir: string;
  /** How often a report had something new to say. */
  changes(): number;
  /** What was found damaged. */
  damage: string[];
  /** Until what was begun in the agent has come to its end. */
  settled(): Promise<void>;
  /** The same host by an agent that was started anew; this one is as if it were killed. */
  again(): Promise<Scene>;
}

export const ALL_TOOLS = (): boolean => true;
export const NO_TOOLS = (): boolean => false;

/** So many families are switched, and then nothing on the host gives an answer any more. */
export function afterSwitching(families: number): Scene['tools']['fail'] {
  let switched = 0;
  return ({ program }) => {
    if (!program.endsWith('-restore')) return switched >= Math.max(families, 1);
    switched += 1;
    return switched > families;
  };
}

export async function takeOverScene(t: Test): Promise<Scene> {
  const host = await startHost(t);
  await host.probe().listen(PORT);
  const tools: Scene['tools'] = { fail: NO_TOOLS };
  const [there, away] = [createToolRun({ where: host.where }), createToolRun({ where: ['/nowhere/to-be-found'] })];
  const netfilter = createNetfilter('nft', (call) => (tools.fail(call) ? away(call) : there(call)));
  const stateDir = t.testdir({});
  const service: Scene['service'] = {
    there: true,
    reached: true,
    answer: () => (service.there ? Promise.resolve() : Promise.reject(new Error('nobody answers'))),
  };
  const around = { kubernetes: null, sessions: [], servicePort: null };

  async function begin(): Promise<Scene> {
    const point = createHostPoint({ name: 'host-db', options: HOST_OPTIONS, netfilter });
    const damage: string[] = [];
    let changes = 0;
    const keys = () => [key.publicKey];
    const known = await openLastKnown({ stateDir, aud: 'host-db', keys, onDamage: (words) => damage.push(words) });
    const clock = handMoved();
    const takeOver = createTakeOver({
      ...{ aud: 'host-db', keys, known, clock, logger: createLogger({ level: 'silent' }) },
      standing: createStanding({ point, netfilter }),
      surroundings: async () => around,
      inForce: () => readInForce(netfilter),
      isReached: () => service.reached,
      reach: () => service.answer(),
      onChanged: () => {
        changes += 1;
      },
    });
    const end = async (): Promise<void> => {
      await takeOver.close();
      await point.close();
    };
    t.teardown(end);
    await takeOver.restore();
    const sign = (policy: CompiledPolicy): Promise<Uint8Array> =>
      signHostPolicy(policy, new Date(clock.now()).toISOString(), key);
    const offerPolicy = async (policy: CompiledPolicy): Promise<Outcome> =>
      takeOver.offer(await sign(policy), policy.revision);
    return {
      ...{ takeOver, clock, service, around, tools, stateDir, damage, sign, offerPolicy },
      changes: () => changes,
      offer: (revision, allow) => offerPolicy(hostPolicy({ revision, allow })),
      offerBytes: takeOver.offer,
      verdicts: () => kernelVerdicts(host, flowsOf([FRIEND, OTHER])),
      clear: () => clear(host),
      settled: async () => {
        await clock.move(0);
        // Waits in the queue in which all of it stands.
        await takeOver.settle();
      },
      again: async () => {
        await end();
        return begin();
      },
    };
  }
  return begin();
}

function flowsOf(sources: readonly string[]): { from: string; to: string; port: string }[] {
  return sources.map((from) => ({ from, to: '172.31.255.1', port: PORT }));
}

async function clear(host: TestHost): Promise<void> {
  for (const program of ['iptables-nft', 'ip6tables-nft'])
    for (const words of ['-F', '-X']) await host.run(program, words);
}
