import { EdgewardError } from '@edgeward/runtime';

/** What a host, or whoever claims to be one, is told. */

/** The same for every invite that is not good: which secrets there are, or were, is nobody's business. */
export function refusedInvite(): EdgewardError {
  return new EdgewardError('EDW_ERR_HOST_ENROLMENT', 'enrolling a host: this invite is not good', {
    mend: 'Make another one where the service runs: edgeward hosts invite NAME. It works once, for a short time; the log of the service says what was wrong.',
  });
}

/** `member` is one of ours: nothing of the request is repeated. */
export function badRequest(member: string): EdgewardError {
  const what = ['v', 'secret', 'publicKey', 'proof'].includes(member)
    ? `${member} can not be read`
    : 'it can not be read';
  return new EdgewardError('EDW_ERR_HOST_ENROLMENT_REQUEST', `reading a request for an identity: ${what}`, {
    mend: 'Ask with the agent of this version: edgeward agent enrol INVITE.',
  });
}

export function wrongProof(): EdgewardError {
  return new EdgewardError('EDW_ERR_HOST_ENROLMENT_REQUEST', 'renewing an identity: the proof is not that of the key', {
    mend: 'Sign the statement with the private key of the new certificate.',
  });
}

export function supersededCertificate(point: string): EdgewardError {
  return new EdgewardError('EDW_ERR_HOST_CERTIFICATE', `${point} has a newer certificate: this one is void`, {
    mend: 'If nobody enrolled this host anew and it was not set back to an older state, somebody else has its key: invite it again (edgeward hosts invite NAME), which voids every other one.',
  });
}

/** `who`: an address that enrols, a host that renews. */
export function tooOften(who: string): EdgewardError {
  return new EdgewardError('EDW_ERR_HOST_ENROLMENT_RATE', `${who} asks for an identity too often`, {
    mend: 'Wait as long as Retry-After says, or a minute; then try again, to be enrolled with an invite that is good.',
  });
}

/** For answers over HTTP; undefined for what is not said here. */
export function enrolmentStatusOf(error: EdgewardError): number | undefined {
  return STATUS[error.code];
}

const STATUS: Record<string, number> = {
  EDW_ERR_HOST_ENROLMENT_REQUEST: 400,
  EDW_ERR_CERTIFICATE_KEY: 400,
  EDW_ERR_HOST_ENROLMENT: 403,
  EDW_ERR_HOST_UNKNOWN: 403,
  EDW_ERR_HOST_CERTIFICATE: 403,
  EDW_ERR_HOST_ENROLMENT_RATE: 429,
  EDW_ERR_STATE_WRITE: 503,
};
