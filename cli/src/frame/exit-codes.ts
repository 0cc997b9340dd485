/**
 * What the process ends with. The numbers are relied on by scripts, so each has one meaning in every command, and a
 * coded error always ends in the same one.
 */
import { POLICY_ERRORS } from '@edgeward/policy';
import { EdgewardError, messageOf } from '@edgeward/runtime';

export const exitMeanings = {
  0: 'done',
  1: 'a bug in Edgeward',
  2: 'the command line is wrong',
  3: 'a finding: the answer is no',
  4: 'no answer in time',
  69: 'unreachable: the sync service, a point, or a Node that can run this',
  75: 'try again later',
  78: 'the configuration, or a file or directory that it needs, is invalid',
} as const;

export type ExitCode = keyof typeof exitMeanings;

export const exitCodes: readonly ExitCode[] = [0, 1, 2, 3, 4, 69, 75, 78];

/** Whatever is in no list is 1: a coded error that nobody expected here. */
const codesByExit: Partial<Record<ExitCode, readonly string[]>> = {
  2: [
    'EDW_ERR_USAGE',
    'EDW_ERR_FLOWS_FILE',
    'EDW_ERR_OUT_FILE',
    'EDW_ERR_OUT_FOLDER',
    'EDW_ERR_EXPORT_REVISION',
    'EDW_ERR_NGINX_PATH',
    'EDW_ERR_UNKNOWN_USER',
    'EDW_ERR_CERTIFICATE_REQUEST',
    'EDW_ERR_GRANT',
    'EDW_ERR_PROPOSAL_INPUT',
    'EDW_ERR_PROPOSAL_REASON',
    'EDW_ERR_WITNESS_FILE',
  ],
  3: [
    'EDW_ERR_POLICY_INVALID',
    'EDW_ERR_TOO_FRAGMENTED',
    'EDW_ERR_UNKNOWN_POINT',
    'EDW_ERR_UNKNOWN_REFERENCE',
    'EDW_ERR_NOTHING_HELD',
    'EDW_ERR_HELD_OTHER',
    'EDW_ERR_BIGIP_BIND',
    'EDW_ERR_BIGIP_GROUP',
    'EDW_ERR_BIGIP_NAME',
    'EDW_ERR_BIGIP_NO_ENTRY',
    'EDW_ERR_BIGIP_NO_HTTP',
    'EDW_ERR_BIGIP_NO_RULES',
    'EDW_ERR_BIGIP_PARTITION',
    'EDW_ERR_BIGIP_REFUSED',
    'EDW_ERR_BIGIP_VIRTUAL',
    'EDW_ERR_APPROVAL_BASE',
    'EDW_ERR_APPROVAL_GLASS_LONG',
    'EDW_ERR_APPROVAL_GLASS_OFF',
    'EDW_ERR_APPROVAL_GLASS_UNSIGNED',
    'EDW_ERR_APPROVAL_PROPOSER',
    'EDW_ERR_APPROVAL_ROOT',
    'EDW_ERR_APPROVAL_STORE',
    'EDW_ERR_APPROVAL_THRESHOLD',
    'EDW_ERR_APPROVAL_TOO_FEW',
    'EDW_ERR_APPROVAL_UNCONFIRMED',
    'EDW_ERR_APPROVAL_UNSIGNED',
    'EDW_ERR_BUNDLE',
    'EDW_ERR_FORMAT_APPROVAL',
    'EDW_ERR_FORMAT_DEPTH',
    'EDW_ERR_FORMAT_NOT_CANONICAL',
    'EDW_ERR_FORMAT_ROOT',
    'EDW_ERR_FORMAT_RULES',
    'EDW_ERR_FORMAT_SIGNED',
    'EDW_ERR_FORMAT_TOO_LARGE',
    'EDW_ERR_PROPOSAL_CLOSED',
    'EDW_ERR_PROPOSAL_DIFFERS',
    'EDW_ERR_PROPOSAL_OWN',
    'EDW_ERR_PROPOSAL_POLICY',
    'EDW_ERR_PROPOSAL_PROPOSER',
    'EDW_ERR_PROPOSAL_SIGNATURE',
    'EDW_ERR_PROPOSAL_TIME',
    'EDW_ERR_PROPOSAL_UNKNOWN',
    'EDW_ERR_ROLLOUT_NO_WAY_BACK',
    'EDW_ERR_ROLLOUT_STATE',
    'EDW_ERR_ROOT_EPOCH',
    'EDW_ERR_ROOT_KEY_ID',
    'EDW_ERR_ROOT_KEY_SHARED',
    'EDW_ERR_ROOT_KEY_WEAK',
    'EDW_ERR_ROOT_NEW_APPROVERS',
    'EDW_ERR_ROOT_OLD_APPROVERS',
    'EDW_ERR_ROOT_PEOPLE',
    'EDW_ERR_ROOT_PREVIOUS',
    'EDW_ERR_ROOT_STORE',
    'EDW_ERR_ROOT_THRESHOLDS',
    'EDW_ERR_ROOT_VERSION',
    'EDW_ERR_STORE_FOLLOW_UP',
    'EDW_ERR_STORE_OUTDATED',
    'EDW_ERR_STORE_REFUSED',
    'EDW_ERR_STORE_ROLE',
    'EDW_ERR_STORE_ROLLED_BACK',
    'EDW_ERR_STORE_SIGNER',
    'EDW_ERR_STORE_TAMPERED',
    'EDW_ERR_VERSION_UNKNOWN',
  ],
  4: ['EDW_ERR_TIMEOUT', 'EDW_ERR_DEMO'],
  69: [
    'EDW_ERR_SERVICE_UNREACHABLE',
    'EDW_ERR_SERVICE_ANSWER',
    'EDW_ERR_HTTP_NOT_FOUND',
    'EDW_ERR_POINT_UNREACHABLE',
    'EDW_ERR_BIGIP_ANSWER',
    'EDW_ERR_BIGIP_NO_ACTIVE',
    'EDW_ERR_NGINX_NOT_FOUND',
    'EDW_ERR_NGINX_FETCH',
    'EDW_ERR_NGINX_START',
    'EDW_ERR_TCLSH_FAILED',
    'EDW_ERR_TCLSH_NOT_FOUND',
    'EDW_ERR_STORE_ANSWER',
    'EDW_ERR_STORE_UNREACHABLE',
  ],
  75: [
    'EDW_ERR_SERVICE_BUSY',
    'EDW_ERR_BIGIP_BUSY',
    'EDW_ERR_BIGIP_FAILOVER',
    'EDW_ERR_BIGIP_NOT_FOUND',
    'EDW_ERR_BIGIP_NOT_SYNCED',
    'EDW_ERR_BIGIP_TOKENS_EXHAUSTED',
    'EDW_ERR_BIGIP_VIRTUAL_CHANGED',
    'EDW_ERR_OUTPUT',
    'EDW_ERR_PORT_IN_USE',
    'EDW_ERR_STATE_IN_USE',
    'EDW_ERR_LEDGER_BUSY',
    'EDW_ERR_LEDGER_CONTENDED',
    'EDW_ERR_LEDGER_WRITE',
    'EDW_ERR_PROPOSAL_LIMIT',
    'EDW_ERR_STORE_RATE',
  ],
  78: [
    'EDW_ERR_CONFIG',
    'EDW_ERR_CONFIG_FILE',
    'EDW_ERR_SECRET_FILE',
    'EDW_ERR_SIMULATOR_CONFIG',
    'EDW_ERR_BIGIP_CERTIFICATE',
    'EDW_ERR_BIGIP_LOGIN',
    'EDW_ERR_BIGIP_NO_PAIR',
    'EDW_ERR_BIGIP_RIGHTS',
    'EDW_ERR_BIGIP_URL',
    'EDW_ERR_CA_FILE',
    'EDW_ERR_HTTP_TOKEN',
    'EDW_ERR_LISTEN',
    'EDW_ERR_LISTEN_ADDRESS',
    'EDW_ERR_POLICY_DIR',
    'EDW_ERR_STATE_READ',
    'EDW_ERR_STATE_WRITE',
    'EDW_ERR_LEDGER_DAMAGED',
    'EDW_ERR_LEDGER_NEWER',
    'EDW_ERR_LEDGER_UNWRITABLE',
    'EDW_ERR_NGINX_CONFIG',
    'EDW_ERR_AUTHORITY',
    'EDW_ERR_KEY',
    'EDW_ERR_KEY_PASSPHRASE',
    'EDW_ERR_NATS_CREDENTIALS',
    'EDW_ERR_NATS_URL',
    'EDW_ERR_STORE_CERTIFICATE',
    'EDW_ERR_STORE_FOLDER',
    'EDW_ERR_STORE_IDENTITY',
    'EDW_ERR_STORE_KEY',
    'EDW_ERR_STORE_RECORD',
    'EDW_ERR_STORE_REVISION',
    'EDW_ERR_STORE_URL',
    'EDW_ERR_TLS',
    'EDW_ERR_TLS_CLIENT',
  ],
};

const exitByCode = new Map(
  exitCodes.flatMap((exit) => (codesByExit[exit] ?? []).map((code): [string, ExitCode] => [code, exit])),
);

export function exitCodeOf(error: EdgewardError): ExitCode {
  return exitByCode.get(error.code) ?? 1;
}

/** Whatever was thrown as a coded error; what carries no code of ours is a bug. */
export function codedError(thrown: unknown): EdgewardError {
  if (thrown instanceof EdgewardError) return thrown;
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
  const mend = Object.hasOwn(POLICY_ERRORS, code) ? POLICY_ERRORS[code as keyof typeof POLICY_ERRORS] : null;
  if (mend !== null) return new EdgewardError(code, messageOf(thrown), { mend, cause: thrown });
  return new EdgewardError('EDW_ERR_INTERNAL', `a bug in Edgeward: ${messageOf(thrown)}`, {
    mend: 'Please report it with the command line and what is printed here.',
    cause: thrown,
  });
}
