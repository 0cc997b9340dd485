/**
 * A simulated BIG-IP that is asked about flows through its data plane: the driver pushes, a virtual server for each object
 * has the two rules attached, each flow is a real connection, and what the rules say arrives over HSL. One flow at a
 * time, so that the event is its.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type SimulatedUnit, startSimulator } from '@edgeward/bigip-simulator';
import { createBigipPoint, createIcontrol, enforcementRules, type Icontrol } from '@edgeward/f5-irules';
import type { CompiledObject, CompiledPolicy, Flow } from '@edgeward/policy';
import { createLogger } from '@edgeward/runtime';
import type { requireTclsh, Teardown } from '@edgeward/test/kit';
import { type HslEvents, receiveHsl } from './bigip-events.ts';
import { type Answer, askHttp, askTcp, askUdp } from './bigip-flows.ts';
import { startBackends } from './bigip-pools.ts';
import { frontRefuses } from './bigip-refusals.ts';

type Tclsh = Awaited<ReturnType<typeof requireTclsh>>;

export interface JudgedByBigip {
  answer: Answer;
  /** The event that this flow left, if any. */
  event: HslEvent | null;
}

export type HslEvent = HslEvents['events'][number];

export interface JudgingBigip {
  readonly unit: SimulatedUnit;
  /** Past the driver. */
  readonly admin: Icontrol;
  /** Puts a policy into force; its revision is replaced by the next one. Returns that. */
  load(policy: CompiledPolicy): Promise<number>;
  /** Puts the policy that was loaded last into force once more. */
  repair(): Promise<void>;
  judge(flow: Flow): Promise<JudgedByBigip>;
}

/** Above it the rules hold events back: 200 a second and TMM. */
const EVENTS_A_SECOND = 180;
const EVENT_WAIT_MS = 20_000;
const STRANGER = 'stranger';

export async function startJudgingBigip(t: Teardown, tclsh: Tclsh): Promise<JudgingBigip> {
  const hsl = await receiveHsl(t);
  const backends = await startBackends(t);
  const simulator = await startSimulator({ tclsh, preface: true, config: configuration(hsl.port, backends) });
  t.teardown(() => simulator.close());
  const unit = simulator.units[0] as SimulatedUnit;
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-parity-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const passwordFile = join(folder, 'password');
  await writeFile(passwordFile, 'admin\n', { mode: 0o600 });
  const logger = createLogger({ level: 'silent' });
  const access = { user: 'admin', passwordFile, ca: simulator.ca, logger };
  const point = createBigipPoint({ name: 'edge-1', urls: [unit.url], collectAfterMs: 0, ...access });
  t.teardown(() => point.close());
  const admin = createIcontrol({ url: unit.url, ...access });
  t.teardown(() => admin.close());
  const virtuals = virtualServers(admin);
  const pace = pacer();
  let revision = 0;
  let repair = async (): Promise<void> => {};
  let numbers = new Map<string, number>();
  let objects = new Map<string, CompiledObject>();

  return {
    unit,
    admin,
    load: async (policy) => {
      revision += 1;
      // A name of a vector is no path on a BIG-IP, and a virtual server has one transport: each object gets one of each.
      numbers = new Map(policy.objects.map(({ name }, index) => [name, index]));
      objects = new Map(policy.objects.map((object) => [object.name, object]));
      const bound = policy.objects.flatMap((object, index) =>
        transportsOf(object).map((transport) => ({
          ...object,
          name: `${object.name}-${transport}`,
          bind: bindOf(index, object.protocol, transport),
        })),
      );
      const numbered = { ...policy, revision, objects: bound };
      await point.apply(numbered);
      repair = async () => void (await point.apply(numbered));
      for (const { bind, protocol } of bound) await virtuals.ensure(bind, protocol);
      await virtuals.ensure(bindOf(STRANGER, 'http', 'tcp'), 'http');
      return revision;
    },
    repair: () => repair(),
    judge: async (flow) => {
      const object = objects.get(flow.to);
      const protocol = object?.protocol ?? 'http';
      const transport = flow.port.startsWith('udp/') ? 'udp' : 'tcp';
      const bind = bindOf(numbers.get(flow.to) ?? STRANGER, protocol, transport);
      const listener = await unit.listener(bind);
      const seen = hsl.events.length;
      const answer =
        transport === 'udp'
          ? await askUdp(listener, flow, () => object?.mode !== 'observe' && hsl.events.length > seen)
          : protocol === 'http'
            ? await askHttp(listener, flow)
            : await askTcp(listener, flow);
      const mustTell = answer.state === 'reset' || answer.status === 403 || object?.mode === 'observe';
      const mayBeSilent = object?.mode === 'observe' || frontRefuses(flow);
      const event = await hsl.next(seen, mustTell ? EVENT_WAIT_MS : 0, mayBeSilent);
      if (hsl.events.length > seen + 1) throw new Error(`one flow left ${hsl.events.length - seen} events`);
      if (event !== null) await pace();
      return { answer, event };
    },
  };
}

/** A virtual server of `protocol: http` is of TCP alone. */
function transportsOf({ protocol }: CompiledObject): ('tcp' | 'udp')[] {
  return protocol === 'http' ? ['tcp'] : ['tcp', 'udp'];
}

export function bindOf(index: number | string, protocol: 'http' | 'tcp', transport: 'tcp' | 'udp'): string {
  return `/Common/vs_${index}_${protocol}_${transport}`;
}

interface VirtualServers {
  /** Once each: a policy never changes them. */
  ensure(bind: string, protocol: 'http' | 'tcp'): Promise<void>;
}

function virtualServers(admin: Icontrol): VirtualServers {
  const made = new Set<string>();
  return {
    async ensure(bind, protocol) {
      if (made.has(bind)) return;
      made.add(bind);
      const { l4, l7 } = await enforcementRules();
      const udp = bind.endsWith('_udp');
      await admin.create('tm/ltm/virtual', {
        name: bind.slice('/Common/'.length),
        partition: 'Common',
        destination: `/Common/10.0.${made.size >> 8}.${made.size & 255}:0`,
        ipProtocol: udp ? 'udp' : 'tcp',
        mask: '255.255.255.255',
        pool: `/Common/pool_${udp ? 'udp' : protocol}`,
        profiles: [udp ? '/Common/udp' : '/Common/tcp', ...(protocol === 'http' ? ['/Common/http'] : [])],
        rules: protocol === 'http' ? [l4.fullPath, l7.fullPath] : [l4.fullPath],
      });
    },
  };
}

function configuration(hslPort: number, { http, echo }: { http: number; echo: number }): string {
  const pool = (name: string, port: number): string =>
    `ltm pool ${name} {\n    members {\n        /Common/127.0.0.1:${port} {\n            address 127.0.0.1\n        }\n    }\n}\n`;
  return `auth partition Edgeward { }
${pool('/Common/pool_http', http)}${pool('/Common/pool_tcp', echo)}${pool('/Common/pool_udp', echo)}${pool('/Edgeward/eg_collector_pool', hslPort)}
sys log-config destination remote-high-speed-log /Edgeward/eg_hsl {
    pool-name /Edgeward/eg_collector_pool
    protocol tcp
}
sys log-config publisher /Edgeward/eg_audit {
    destinations {
        /Edgeward/eg_hsl { }
    }
}
`;
}

/** Waits when this second has had its events: what the rules suppress can't be compared. */
function pacer(): () => Promise<void> {
  let second = 0;
  let events = 0;
  return async () => {
    const now = Math.floor(Date.now() / 1000);
    if (now !== second) [second, events] = [now, 0];
    events += 1;
    if (events >= EVENTS_A_SECOND) await sleep(1000 * (second + 1) - Date.now() + 5);
  };
}
