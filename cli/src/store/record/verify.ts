/** `edgeward store verify`: a whole store, looked at by somebody who believes nothing of it but the trust root they pinned. */
import { join } from 'node:path';
import { verifyRecord } from '@edgeward/central-store';
import { type Checkpoint, digestOfRoot, type PublicKey } from '@edgeward/policy-format';
import { EdgewardError } from '@edgeward/runtime';
import type { Command, Context } from '../../frame/command.ts';
import type { ExitCode } from '../../frame/exit-codes.ts';
import { withProgress } from '../../frame/progress.ts';
import { counted, type Paint, printable } from '../../frame/terminal-text.ts';
import { openSession, storeExits, storeOptions, storeUsage } from '../store-session.ts';
import { followRoots, readPinnedRoot, type TrustedRoots } from '../trust/trusted-roots.ts';
import { type Problem, verifyPublished } from './published-problems.ts';
import { clientSource, folderSource, type PublishedSource } from './published-source.ts';
import { verifyRemoteRecord } from './record-problems.ts';
import { checkpointsIn, readWitnesses } from './witnesses.ts';

export const verify: Command = {
  name: 'store verify',
  summary: 'Verify the record and every version of a store.',
  help: {
    examples: [
      { line: 'edgeward store verify', says: 'The store of the profile, over the network; for auditors.' },
      {
        line: 'edgeward store verify /backup/edgeward-store --pinned-root root.json --witness heads.ndjson',
        says: 'A folder, such as a backup, against what points have seen.',
      },
    ],
    usage: [`[--witness FILE]... ${storeUsage} [--json]`, 'DIR [--pinned-root FILE] [--witness FILE]... [--json]'],
    about: [
      'Trust roots from the pinned one, each signed by approvers of the one before. Every version: its signatures under the trust root of its time, its place in the chain, its documents, the rules that come out of them. The record of attempts: every entry follows the one before, up to the signed checkpoint and what witnesses have seen. Over the network the points that report are witnesses as well.',
      'In a folder without --pinned-root its first trust root is believed; compare the fingerprint that is printed. A store that runs may write meanwhile.',
      'JSON: {store, roots: {pinned, newest, fingerprint}, versions, record: {size, hash, signed, tornBytes}, witnesses, problems: [{where, kind, message}]}.',
    ],
    exits: { ...storeExits, 0: 'everything holds', 3: 'something does not' },
  },
  args: ['[DIR]'],
  options: {
    witness: { type: 'string', value: 'FILE', says: 'What others have seen of the record.', multiple: true },
    ...storeOptions,
  },
  run: runVerify,
};

interface Verified {
  store: string;
  roots: { pinned: number; newest: number; fingerprint: string };
  versions: number;
  record: Checkpoint & { signed: Checkpoint | null; tornBytes: number };
  witnesses: number;
  problems: Problem[];
}

async function runVerify(context: Context): Promise<ExitCode> {
  const [dir] = context.args;
  const witnesses: Checkpoint[] = [];
  for (const path of context.texts('witness')) witnesses.push(...(await readWitnesses(path)));
  const says = (): string => 'verifying';
  const found = await withProgress(context.err, says, () =>
    dir === undefined ? verifyRemote(context, witnesses) : verifyFolder(context, dir, witnesses),
  );
  if (context.json) await context.printJson(found);
  else await context.out.write(verifiedText(found, context.paint));
  return found.problems.length === 0 ? 0 : 3;
}

async function verifyRemote(context: Context, given: readonly Checkpoint[]): Promise<Verified> {
  const { client, profile } = await openSession(context, 'store verify');
  const source = clientSource(client);
  const roots = await followRoots(await readPinnedRoot(profile.rootFile), source.root);
  const published = await verifyPublished(source, roots, context.now());
  const witnesses = [...given, ...pointWitnesses(await client.status())];
  const { checkpoint, signed, signedRoot, problems } = await verifyRemoteRecord(client, logKeys(roots), witnesses);
  return {
    ...about(roots),
    versions: published.versions,
    record: { ...checkpoint, signed, tornBytes: 0 },
    witnesses: witnesses.length,
    problems: [...published.problems, ...lostRoot(roots, signedRoot), ...problems],
  };
}

/** What points report that they have seen; the store's own word about its record is none. */
function pointWitnesses(status: unknown): Checkpoint[] {
  const points = (status as { points?: unknown } | null)?.points;
  return checkpointsIn(points);
}

async function verifyFolder(context: Context, dir: string, witnesses: readonly Checkpoint[]): Promise<Verified> {
  const source = folderSource(dir);
  const roots = await folderRoots(dir, source, context.text('pinned-root'));
  const published = await verifyPublished(source, roots, context.now());
  const { checkpoint, signed, signedRoot, tornBytes, problems } = await verifyRecord(
    join(dir, 'record'),
    logKeys(roots),
    witnesses,
  );
  const found = problems.map(({ seq, kind, message }) => ({
    where: seq === 0 ? 'record' : `record ${seq}`,
    kind,
    message,
  }));
  return {
    ...about(roots),
    versions: published.versions,
    record: { ...checkpoint, signed, tornBytes },
    witnesses: witnesses.length,
    problems: [...published.problems, ...lostRoot(roots, signedRoot), ...found],
  };
}

/** A store whose newest trust root is gone would count people who were removed. */
function lostRoot({ newest }: TrustedRoots, signedRoot: number | null): Problem[] {
  if (signedRoot === null || signedRoot <= newest.version) return [];
  const message = `the record was signed under version ${signedRoot}, and ${newest.version} is the newest here`;
  return [{ where: `trust root ${newest.version + 1}`, kind: 'missing', message }];
}

async function folderRoots(dir: string, source: PublishedSource, pinned: string | undefined): Promise<TrustedRoots> {
  const first = pinned === undefined ? await source.root(1) : await readPinnedRoot(pinned);
  if (first !== null) return await followRoots(first, source.root);
  throw new EdgewardError('EDW_ERR_STORE_FOLDER', `verifying the store in ${dir}: it has no trust root`, {
    mend: 'Name the folder of a store, or a whole copy of one.',
  });
}

function about(roots: TrustedRoots): Pick<Verified, 'store' | 'roots'> {
  const { pinned, newest } = roots;
  const fingerprint = digestOfRoot(pinned);
  return { store: newest.store, roots: { pinned: pinned.version, newest: newest.version, fingerprint } };
}

/** A store signs with the log key that it was started with: after a new trust root that may be the one before. */
function logKeys({ newest, at }: TrustedRoots): PublicKey[] {
  const before = at(newest.version - 1)?.logKeys ?? [];
  return [...newest.logKeys, ...before.filter(({ kid }) => newest.logKeys.every((key) => key.kid !== kid))];
}

const MAX_SHOWN = 50;

function verifiedText({ store, roots, versions, record, witnesses, problems }: Verified, paint: Paint): string {
  const signed = record.signed === null ? 'not signed' : `signed up to ${record.signed.size}`;
  const torn = record.tornBytes === 0 ? '' : `; ${counted(record.tornBytes, 'byte')} of an entry at its end`;
  const lines = [
    `store ${store}`,
    `  trust root ${roots.pinned} pinned, fingerprint ${roots.fingerprint}; newest ${roots.newest}`,
    `  ${counted(versions, 'version')}`,
    `  record of ${counted(record.size, 'entry', 'entries')}, ${signed}${torn}; ${counted(witnesses, 'witness', 'witnesses')}`,
    ...problems
      .slice(0, MAX_SHOWN)
      .map(({ where, kind, message }) => `${paint.bad('problem')}  ${printable(`${where}  ${kind}: ${message}`)}`),
    ...(problems.length > MAX_SHOWN ? [paint.dim(`… and ${problems.length - MAX_SHOWN} more; --json has all`)] : []),
    problems.length === 0 ? paint.good('Everything holds.') : paint.bad(`${counted(problems.length, 'problem')}.`),
  ];
  return `${lines.join('\n')}\n`;
}
