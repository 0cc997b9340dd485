/** `edgeward store grant`: proposes an opening that ends by itself. */

import { randomBytes } from 'node:crypto';
import { type Grant, grantDocument, withDocument } from '@edgeward/central-store';
import { parseCidr } from '@edgeward/policy';
import { isName } from '@edgeward/policy-format';
import { EdgewardError } from '@edgeward/runtime';
import type { Command, Context } from '../../frame/command.ts';
import type { ExitCode } from '../../frame/exit-codes.ts';
import { durationOption } from '../../frame/option-values.ts';
import { usageError } from '../../frame/usage-error.ts';
import { openSession, storeExits, storeUsage } from '../store-session.ts';
import { readInventory } from '../trust/flow-sides.ts';
import { proposalOptions } from './change-options.ts';
import { openStore } from './opened-store.ts';
import { submit } from './submission.ts';

export const grant: Command = {
  name: 'store grant',
  summary: 'Propose an opening that ends by itself.',
  help: {
    examples: [
      {
        line: 'edgeward store grant --from 10.99.0.7 --to "app == \'shop\' && role == \'admin\'" --ports tcp/443 --for 30m --reason "INC-7: look at the queue"',
        says: 'From one address.',
      },
      {
        line: 'edgeward store grant --from "app == \'ops\'" --within 10.99.0.0/24 --to "env == \'prod\'" --ports tcp/443,tcp/8443 --for 2h --break-glass --reason INC-7',
        says: 'From workloads inside a fence, and by an approver alone.',
      },
    ],
    usage: [
      `--from TERM [--within CIDR,…] --to SELECTOR --ports PORT,… --for TIME --reason TEXT [--name NAME] [--break-glass [--on-top-of VERSION]] [--dry-run] ${storeUsage} [--all] [--json]`,
    ],
    about: [
      'TERM is an address, a CIDR, the name of a network, or a selector of workloads; a selector needs --within. The end is part of what is signed and of what each point holds: it ends there also when the store is gone. 30 days at most; with --break-glass no longer than the trust root lets one person open, and the whole version ends with the grant.',
      'It is a proposal on top of the newest version: others approve it as any other. `store propose` carries it over until it ends.',
      'JSON as of `store propose`, with grant: {name, until}.',
    ],
    exits: { ...storeExits, 2: 'the command line is wrong, or no such grant can be written', 3: 'the store refuses' },
  },
  args: [],
  options: {
    from: { type: 'string', value: 'TERM', says: 'Address, CIDR, network or selector of workloads.' },
    within: { type: 'string', value: 'CIDR,…', says: 'Fence of a selector: members outside it are left out.' },
    to: { type: 'string', value: 'SELECTOR', says: 'Protected objects, by their labels.' },
    ports: { type: 'string', value: 'PORT,…', says: 'As in tcp/443,tcp/8000-8099.' },
    name: { type: 'string', value: 'NAME', says: 'Part of the id of the rule, grant-NAME; made up without it.' },
    ...proposalOptions,
  },
  run: runGrant,
};

async function runGrant(context: Context): Promise<ExitCode> {
  const nowMs = context.now();
  const wanted = wantedGrant(context, nowMs);
  const document = grantDocument(wanted, nowMs);
  const session = await openSession(context, 'store grant');
  const { client } = session;
  const trusted = await openStore(context, session, 'store grant');
  const base = trusted.previous?.approved ?? null;
  if (base === null)
    throw new EdgewardError('EDW_ERR_GRANT', 'writing a grant: nothing is in force that it could be added to', {
      mend: 'Propose a policy directory first.',
    });
  const bundle = withDocument(base, document);
  const inventory = await readInventory(client, context.text('inventory'));
  const notes = [`${document.name} ends at ${wanted.until}`];
  return await submit(context, { command: 'store grant', session, trusted, bundle, inventory, notes });
}

function wantedGrant(context: Context, nowMs: number): Grant {
  const lastsMs = durationOption(context, 'for', 'store grant', 1);
  if (lastsMs === undefined) throw usageError("'store grant' needs --for TIME", 'store grant');
  const name = context.text('name') ?? randomBytes(4).toString('hex');
  if (!isName(`grant-${name}`)) throw usageError(`--name: '${name}' is no name`, 'store grant');
  return {
    name,
    from: sourceOf(context.required('from'), listOf(context.text('within'))),
    to: context.required('to'),
    ports: listOf(context.required('ports')),
    until: new Date(nowMs + lastsMs).toISOString(),
    reason: context.required('reason'),
  };
}

function sourceOf(term: string, within: string[]): Grant['from'] {
  const fenced = within.length > 0;
  if (parseCidr(term) !== null || isName(term)) {
    if (fenced) throw usageError('--within is for a selector of workloads', 'store grant');
    return parseCidr(term) === null ? { network: term } : { cidr: term };
  }
  if (!fenced)
    throw usageError(
      `--from: '${term}' selects workloads, and has no fence`,
      'store grant',
      'Add --within 10.0.0.0/24.',
    );
  return { workloads: term, within };
}

function listOf(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((it) => it.trim())
    .filter((it) => it !== '');
}
