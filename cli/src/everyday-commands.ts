/** The commands that need no central store, in the order of `edgeward --help`. */
import { agent } from './agent/agent.ts';
import { bigip } from './bigip/bigip.ts';
import { collect } from './collect/collect.ts';
import { demo } from './demo/demo.ts';
import { forward } from './forward.ts';
import type { CommandEntry } from './frame/command.ts';
import { hosts } from './hosts/hosts.ts';
import { nginx } from './nginx/nginx.ts';
import { check } from './policy/check.ts';
import { compile } from './policy/compile.ts';
import { explain } from './policy/explain.ts';
import { plan } from './policy/plan.ts';
import { test } from './policy/policy-tests.ts';
import { replay } from './policy/replay.ts';
import { serve } from './serve.ts';
import { accept } from './service/accept.ts';
import { denials } from './service/denials.ts';
import { status } from './service/status.ts';
import { why } from './service/why.ts';

export const everydayCommands: readonly CommandEntry[] = [
  demo,
  check,
  test,
  explain,
  compile,
  plan,
  replay,
  serve,
  forward,
  collect,
  status,
  denials,
  why,
  accept,
  nginx,
  bigip,
  hosts,
  agent,
];

/** Stands in for the commands of a store where none of them is meant. */
export const storeByName: CommandEntry = {
  name: 'store',
  summary: 'A central store: keys, proposals, approvals, roll-outs, its record.',
  commands: [],
};
