/** `edgeward store root`: the trust root in force, verified from the pinned one; and a draft of the one after it. */
import { type Digest, digestOfRoot, type TrustRoot } from '@edgeward/policy-format';
import type { Command, Context } from '../../frame/command.ts';
import type { ExitCode } from '../../frame/exit-codes.ts';
import { printable } from '../../frame/terminal-text.ts';
import { writeNew } from '../new-file.ts';
import { openSession, storeExits, storeOptions, storeUsage } from '../store-session.ts';
import { confirmOption, dryRunOption } from './change-options.ts';
import { openStore } from './opened-store.ts';

export const root: Command = {
  name: 'store root',
  summary: 'Show the trust root, or draft the next one.',
  help: {
    examples: [
      { line: 'edgeward store root', says: 'People, keys, thresholds, and the fingerprint to compare.' },
      { line: 'edgeward store root --out root-2.json', says: 'Edit it, then `store propose --root root-2.json`.' },
    ],
    usage: [`[--out FILE] [--dry-run] ${storeUsage} [--json]`],
    about: [
      'Verified version by version from the root that you pinned. The draft has the next number and follows this one; what else is in it is for you to edit: people, keys from FILE.pub, thresholds, keys of the store from `store server-key`.',
      'JSON: {version, digest, pinned, root, policy: {version, digest}, out}; `policy` is the newest version, null before the first; `out` is null without --out.',
    ],
    exits: {
      ...storeExits,
      2: 'the command line is wrong, or FILE is there already',
      3: 'the roots do not follow one another',
    },
  },
  args: [],
  options: {
    out: { type: 'string', value: 'FILE', says: 'Where the draft goes; a file that is there stays.' },
    'dry-run': dryRunOption,
    'confirm-version': confirmOption,
    ...storeOptions,
  },
  run: runRoot,
};

async function runRoot(context: Context): Promise<ExitCode> {
  const session = await openSession(context, 'store root');
  const { roots, previous } = await openStore(context, session, 'store root');
  const policy = previous === null ? null : { version: previous.approval.version, digest: previous.digest };
  const { newest, pinned } = roots;
  const out = context.text('out') ?? null;
  const digest = digestOfRoot(newest);
  if (out !== null && !context.flag('dry-run'))
    await writeNew(out, `${JSON.stringify(draftAfter(newest, context.now()), null, 2)}\n`, 0o644);
  const wrote = context.flag('dry-run') ? null : out;
  if (context.json)
    await context.printJson({
      version: newest.version,
      digest,
      pinned: pinned.version,
      root: newest,
      policy,
      out: wrote,
    });
  else await context.out.write(`${textOf(newest, pinned.version, policy, wrote).map(printable).join('\n')}\n`);
  return 0;
}

function draftAfter(root: TrustRoot, nowMs: number): TrustRoot {
  return { ...root, version: root.version + 1, previous: digestOfRoot(root), issuedAt: new Date(nowMs).toISOString() };
}

function textOf(
  root: TrustRoot,
  pinned: number,
  policy: { version: number; digest: Digest } | null,
  out: string | null,
): string[] {
  const { normal, elevated, root: forRoot, breakGlassHours } = root.thresholds;
  return [
    `trust root ${root.version}, epoch ${root.epoch}, fingerprint ${digestOfRoot(root)}; ${pinned} is pinned`,
    ...root.people.map(
      ({ name, roles, keys }) => `  ${name}  ${roles.join(', ')}${keys.map(({ kid }) => `  ${kid}`).join('')}`,
    ),
    `  approvers beside the proposer: ${normal}, with a risk ${elevated}; a new trust root: ${forRoot}; break-glass: ${breakGlassHours} h`,
    `  keys of the store: ${root.storeKeys.map(({ kid }) => kid).join(', ')}; of its record: ${root.logKeys.map(({ kid }) => kid).join(', ')}`,
    policy === null ? '  no policy yet' : `  newest policy: version ${policy.version}, payload ${policy.digest}`,
    ...(out === null ? [] : [`wrote ${out}: a draft of version ${root.version + 1}`]),
  ];
}
