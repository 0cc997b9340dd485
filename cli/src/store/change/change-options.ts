/** Options that several commands about a change share, and what they read as. */
import { isDigest } from '@edgeward/policy-format';
import type { Option } from '../../frame/command.ts';
import { usageError } from '../../frame/usage-error.ts';
import { storeOptions } from '../store-session.ts';

export const confirmOption: Option = {
  type: 'string',
  value: 'DIGEST',
  says: 'Believe this version, though keys that signed it are no longer in the trust root; remembered.',
};

export const dryRunOption: Option = {
  type: 'boolean',
  says: 'Do everything but the change; the store puts the attempt on its record.',
};

export const onTopOfOption: Option = {
  type: 'string',
  value: 'VERSION',
  says: 'With break-glass: this version is to be everywhere, though its roll-out is not done.',
};

export const reasonOption: Option = { type: 'string', value: 'TEXT', says: 'Why; signed, and on the record for good.' };

export const inventoryOption: Option = {
  type: 'string',
  value: 'DIR',
  says: 'Who is where, from the workloads of this directory, and not as the store says.',
};

export const allOption: Option = { type: 'boolean', says: 'Every line, however many there are.' };

/** For whoever makes a change. */
export const proposalOptions: Record<string, Option> = {
  reason: reasonOption,
  'break-glass': { type: 'boolean', says: 'One approver alone, you; it ends by itself, and others follow up.' },
  for: { type: 'string', value: 'TIME', says: 'How long: 30m, 2h.' },
  'on-top-of': onTopOfOption,
  'return-for': {
    type: 'string',
    value: 'TIME',
    says: 'How long after its expiry a roll-out may go back to the version before: 1d; 0s for never.',
  },
  expires: { type: 'string', value: 'TIME', says: 'How long it may wait for signatures: 24h, 7d at most.' },
  inventory: inventoryOption,
  all: allOption,
  'dry-run': dryRunOption,
  'confirm-version': confirmOption,
  ...storeOptions,
};

/** A proposal by its id, or exactly one by the digest of what is signed. */
export interface ProposalArgument {
  id: string;
  digest: string | null;
}

/** Throws EDW_ERR_USAGE. */
export function proposalArgument(text: string, command: string): ProposalArgument {
  if (/^[0-9a-f]{16}$/.test(text)) return { id: text, digest: null };
  if (isDigest(text)) return { id: text.slice(0, 16), digest: text };
  const hint = '`edgeward store review` lists them: 16 hex digits, or all 64 of the payload.';
  throw usageError(`'${text}' is no proposal`, command, hint);
}

/** 1, 2, 3 … */
export function versionArgument(text: string, command: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw usageError(`'${text}' is no version`, command, 'Write a number from 1 on.');
}
