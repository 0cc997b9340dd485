/**
 * A central store as a company makes one, beside the service of a host site: keys, folder and certificates by the commands,
 * a process that serves it over mutual TLS and can be killed, and people. Ada proposes; Ben and Cyn both have to approve;
 * Ben publishes.
 */
import { appendFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Daemon, type HostSite, POINT, type Said } from './host-site.ts';

const PEOPLE = { ada: 'author', ben: 'approver,publisher', cyn: 'approver' } as const;
const APPROVERS = ['ben', 'cyn'] as const;
/** Loopback of the namespace that it shares with the service alone. */
const STORE_URL = 'https://127.0.0.1:9443';

type Person = keyof typeof PEOPLE;

/** In the configuration of a service that follows it; the files are there once the store is made. */
export const FOLLOWING: object = {
  store: {
    ...{ urls: [STORE_URL], rootFile: 'following/root.json', pollSeconds: 5 },
    ...{ certFile: `following/${POINT}.pem`, keyFile: `following/${POINT}-key.pem`, caFile: 'following/store-ca.pem' },
  },
};

export interface ApprovedStore {
  process: Daemon;
  /** `edgeward store …` as this person types it. */
  as(person: Person, args: readonly string[]): Promise<Said>;
  /** Of what lies in `policies`. The id. */
  propose(reason: string): Promise<string>;
  /** Looked at and signed, each on a machine of their own. */
  approve(id: string, ...people: Person[]): Promise<void>;
  /** Proposed, approved by both, published. */
  publish(reason: string): Promise<void>;
  /** What machines say: all workloads there are. */
  inventory(workloads: readonly object[]): Promise<void>;
}

/** Made, and not yet served. */
export async function makeApprovedStore(site: HostSite): Promise<ApprovedStore> {
  const at = (...parts: string[]): string => join(site.folder, ...parts);
  const folder = at('store');
  await makeFolder(site, at);
  // Whoever is denied here is meant to be, and two who try again are no sign of a bad version.
  await appendFile(join(folder, 'edgeward-store.yaml'), 'rollout: { denyFloor: 1000 }\n');
  const self: ApprovedStore = {
    process: site.daemonBeside(['store', 'serve', '--config', join(folder, 'edgeward-store.yaml')], async () => {
      wellDone('status', await self.as('ada', ['status']));
    }),
    as: (person, args) => site.beside(['store', ...args, '--profile', at(person, 'store.yaml')]),
    async propose(reason) {
      const args = ['propose', at('policies'), '--reason', reason, '--json'];
      const { out } = wellDone('propose', await self.as('ada', args));
      return (JSON.parse(out) as { proposal: { id: string } }).proposal.id;
    },
    async approve(id, ...people) {
      for (const person of people) {
        wellDone('review', await self.as(person, ['review', id]), 3);
        wellDone('approve', await self.as(person, ['approve', id, '--reason', 'as agreed']));
      }
    },
    async publish(reason) {
      const id = await self.propose(reason);
      await self.approve(id, ...APPROVERS);
      wellDone('publish', await self.as('ben', ['publish', id]));
    },
    async inventory(workloads) {
      const file = join(folder, 'inventory', 'machines.ndjson');
      await writeFile(at('next-inventory'), workloads.map((workload) => `${JSON.stringify(workload)}\n`).join(''));
      await rename(at('next-inventory'), file);
    },
  };
  return self;
}

async function makeFolder(site: HostSite, at: (...parts: string[]) => string): Promise<void> {
  const people = Object.keys(PEOPLE) as Person[];
  const done = async (...args: string[]): Promise<void> =>
    void wellDone(args.join(' '), await site.beside(['store', ...args]));
  await Promise.all(people.map((name) => done('key', '--name', name, '--out', at(`${name}.key`))));
  const named = people.flatMap((name) => ['--person', `${name}:${PEOPLE[name]}=${at(`${name}.key.pub`)}`]);
  await done('init', at('store'), ...named, '--approvals', '2');
  const certificate = (...args: string[]): Promise<void> => done('certificate', at('store'), ...args);
  await Promise.all([
    ...people.map((name) =>
      certificate('--person', name, '--out', at(name), '--url', STORE_URL, '--signing-key', at(`${name}.key`)),
    ),
    certificate('--point', POINT, '--out', at('following')),
  ]);
}

function wellDone(what: string, said: Said, code = 0): Said {
  if (said.code !== code) throw new Error(`${what}: ${said.code}\n${said.out}${said.err}`);
  return said;
}
