/**
 * Commands by their first words, each without the others: most of a command's start is what it loads, and a verdict should
 * not wait for what a service, a store or a rehearsal brings along. What stands at no first word here has to be looked for
 * among all commands, as help and words that name nothing have.
 */
import type { Command, CommandEntry } from './frame/command.ts';

type Load<Entry> = () => Promise<Entry>;

const everyday: Readonly<Record<string, Load<CommandEntry>>> = {
  check: async () => (await import('./policy/check.ts')).check,
  test: async () => (await import('./policy/policy-tests.ts')).test,
  explain: async () => (await import('./policy/explain.ts')).explain,
  compile: async () => (await import('./policy/compile.ts')).compile,
  plan: async () => (await import('./policy/plan.ts')).plan,
  replay: async () => (await import('./policy/replay.ts')).replay,
  serve: async () => (await import('./serve.ts')).serve,
  forward: async () => (await import('./forward.ts')).forward,
  collect: async () => (await import('./collect/collect.ts')).collect,
  status: async () => (await import('./service/status.ts')).status,
  denials: async () => (await import('./service/denials.ts')).denials,
  why: async () => (await import('./service/why.ts')).why,
  accept: async () => (await import('./service/accept.ts')).accept,
  nginx: async () => (await import('./nginx/nginx.ts')).nginx,
  bigip: async () => (await import('./bigip/bigip.ts')).bigip,
  hosts: async () => (await import('./hosts/hosts.ts')).hosts,
  agent: async () => (await import('./agent/agent.ts')).agent,
};

const ofStore: Readonly<Record<string, Load<Command>>> = {
  key: async () => (await import('./store/keys/key.ts')).key,
  init: async () => (await import('./store/folder/init.ts')).init,
  certificate: async () => (await import('./store/folder/certificate.ts')).certificate,
  serve: async () => (await import('./store/folder/serve.ts')).serve,
  propose: async () => (await import('./store/change/propose.ts')).propose,
  review: async () => (await import('./store/change/review.ts')).review,
  approve: async () => (await import('./store/change/approve.ts')).approve,
  publish: async () => (await import('./store/change/publish.ts')).publish,
  grant: async () => (await import('./store/change/grant.ts')).grant,
  rollout: async () => (await import('./store/status/rollout.ts')).rollout,
  status: async () => (await import('./store/status/status.ts')).status,
  accept: async () => (await import('./store/change/accept.ts')).accept,
  log: async () => (await import('./store/record/log.ts')).log,
  verify: async () => (await import('./store/record/verify.ts')).verify,
};

/** For a test: the first words of each. */
export const singleCommands: readonly string[] = [
  ...Object.keys(everyday),
  ...Object.keys(ofStore).map((name) => `store ${name}`),
];

/** The command that these words begin with, in its family; null where all have to be looked through. */
export async function singleCommand([name = '', member = '']: readonly string[]): Promise<CommandEntry | null> {
  if (name === 'store') {
    const load = Object.hasOwn(ofStore, member) ? ofStore[member] : undefined;
    return load === undefined ? null : { name, summary: '', commands: [await load()] };
  }
  const load = Object.hasOwn(everyday, name) ? everyday[name] : undefined;
  return load === undefined ? null : await load();
}
