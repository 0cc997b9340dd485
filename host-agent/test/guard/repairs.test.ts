/** Six kinds of tampering, each mended while strangers knock a thousand times a second; how long they got in is told, not judged. */
import { requireHosts } from '@edgeward/test/kit';
import t from 'tap';
import { readOwnState } from '../fixtures/host-own-state.ts';
import { RUNS } from '../fixtures/seeded.ts';
import {
  FRIENDS,
  flowsOf,
  type GuardedHost,
  PORT,
  pause,
  STRANGERS,
  startGuardedHost,
  until,
} from './fixtures/guarded-host.ts';
import { type SteadyProbe, startSteadyProbe } from './fixtures/steady-probe.ts';

requireHosts(t);
t.jobs = 2;

interface Tampering {
  name: string;
  tamper(scene: GuardedHost): Promise<unknown>;
  words: RegExp;
  /** By the monitor, which sees rules of nft only. */
  who?: RegExp;
  /** Of nft alone; rules of legacy stay. */
  program?: 'nft';
}

const IPTABLES = /^iptables-nft \(\d+\)$/;

const TAMPERINGS: Tampering[] = [
  {
    name: 'our chain is emptied',
    tamper: ({ tables }) => tables('-F', 'EW-IN'),
    words: /chain EW-IN was emptied/,
    who: IPTABLES,
  },
  {
    name: 'the jump is taken away',
    tamper: ({ tables }) => tables('-D', 'INPUT', '1'),
    words: /jump to EW-IN is gone/,
    who: IPTABLES,
  },
  {
    name: 'everything is accepted before the jump',
    tamper: ({ tables }) => tables('-I', 'INPUT', '1', '-j', 'ACCEPT'),
    words: /a rule stands before EW-IN in INPUT/,
    who: IPTABLES,
  },
  { name: 'iptables -F', tamper: ({ tables }) => tables('-F'), words: /IPv4: our rules are gone/, who: IPTABLES },
  {
    name: 'nft flush ruleset',
    tamper: ({ host }) => host.run('nft', 'flush', 'ruleset'),
    words: /IPv4: our rules are gone; IPv6: our rules are gone/,
    who: /^nft \(\d+\)$/,
    program: 'nft',
  },
  {
    name: 'a set lets more in',
    tamper: async ({ host, set }) => host.run('ipset', 'add', await set(), '128.0.0.0/1,udp:5432'),
    words: /set ew4p-[0-9a-f]{16} was changed/,
  },
  {
    name: 'a set lets less in',
    tamper: async ({ host, set }) => host.run('ipset', 'del', await set(), '10.1.0.0/16,udp:5432'),
    words: /set ew4p-[0-9a-f]{16} was changed/,
  },
];

/** Each of them; a soak takes more. */
const TIMES = Math.min(RUNS, 5);

for (const backend of ['nft', 'legacy'] as const) {
  t.test(
    `whatever is tampered with is put back, and the guard says what and who (${backend})`,
    { timeout: 400_000 },
    async (t) => {
      const scene = await startGuardedHost(t, backend);
      const flows = [...flowsOf(STRANGERS), ...flowsOf(FRIENDS)];
      await scene.host.call(flows.map((flow) => ({ ...flow, port: 'udp/9' })));
      const probe = await startSteadyProbe(
        t,
        scene.host,
        flows.map((flow) => ({ ...flow, port: PORT })),
      );
      const wanted = await readOwnState(scene.host, backend);
      for (const { name, tamper, words, who, program } of TAMPERINGS) {
        if (program !== undefined && program !== backend) continue;
        const doors: Door[] = [];
        for (let time = 0; time < TIMES; time += 1) {
          // A new one each time: whoever tampers this often is else fought with pauses.
          const guard = await scene.guard({ timing: { pollMs: 100, setsMs: /^a set/.test(name) ? 100 : 10_000 } });
          await probe.arrived();
          await tamper(scene);
          t.ok(await until(() => guard.status().repairs.count >= 1), `${name}: repaired`);
          const { repairs, drift } = guard.status();
          t.match(repairs.last?.words, words, `${name}: what it was`);
          t.match(repairs.last?.process, backend === 'nft' ? (who ?? null) : null, `${name}: who it was`);
          t.strictSame(drift, [], `${name}: nothing is left`);
          doors.push(await doorOf(probe));
          await guard.close();
          t.strictSame(await readOwnState(scene.host, backend), wanted, `${name}: as it was applied`);
          const actual = await scene.point.inspect();
          t.strictSame(actual.state === 'loaded' ? actual.drift : null, [], `${name}: the driver finds nothing`);
          t.strictSame((await probe.arrived())[STRANGERS.inet] ?? [], [], `${name}: no stranger is let in after that`);
        }
        t.comment(`${backend}, ${name}: ${textOf(doors)}`);
      }
    },
  );
}

interface Door {
  /** From the first datagram of a stranger that arrived to the last. */
  openMs: number;
  /** Between two of a friend that arrived. */
  shutMs: number;
}

/** Also those that were on their way. */
async function doorOf(probe: SteadyProbe): Promise<Door> {
  await pause(200);
  const arrived = await probe.arrived();
  const openMs = Object.values(STRANGERS).map((from) => (arrived[from]?.at(-1) ?? 0) - (arrived[from]?.[0] ?? 0));
  const friends = arrived[FRIENDS.inet] ?? [];
  const gapsMs = friends.slice(1).map((sentMs, index) => sentMs - (friends[index] ?? 0));
  return { openMs: Math.max(...openMs), shutMs: Math.max(0, ...gapsMs) };
}

function textOf(doors: readonly Door[]): string {
  const list = (times: number[]): string => times.map((ms) => Math.round(ms)).join(', ');
  return `open to strangers for ${list(doors.map(({ openMs }) => openMs))} ms, shut to friends for at most ${list(doors.map(({ shutMs }) => shutMs))} ms`;
}
