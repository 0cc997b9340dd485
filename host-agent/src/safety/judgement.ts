/**
 * Whether a policy may be enforced on this host as it was served. What would lock out the people who are in, or part this
 * host's own sync service from others, is observed instead, and so is what may never be enforced here at all. Pure: what is
 * the case on the host is handed in.
 */
import { type CompiledPolicy, decide, type LoadedPolicy, unpack, viewOf } from '@edgeward/policy';
import type { Session } from './sessions.ts';

export interface Surroundings {
  /** What says that this is a node of Kubernetes. */
  kubernetes: string | null;
  sessions: readonly Session[];
  /** Where the agent's sync service listens, if that runs on this very host. */
  servicePort: number | null;
  /** What is in force now enforces: whoever is cut by the next policy is revoked, and not locked out by surprise. */
  enforcing: boolean;
}

export type Judgement =
  | { form: 'served' }
  /** `observe`: in force, and nothing is dropped. `none`: what is in force stays. */
  | { form: 'observe' | 'none'; code: RefusalCode; message: string; mend: string };

type RefusalCode = 'EDW_ERR_HOST_KUBERNETES' | 'EDW_ERR_HOST_NO_MANAGEMENT' | 'EDW_ERR_HOST_WOULD_CUT';

export function judge(policy: CompiledPolicy, host: Surroundings): Judgement {
  const object = policy.objects[0];
  if (object === undefined || object.mode !== 'enforce') return { form: 'served' };
  // A host that enforces is not opened by what may be called so by anybody: it keeps what it has.
  if (host.kubernetes !== null)
    return { ...refusal('EDW_ERR_HOST_KUBERNETES', host.kubernetes), form: host.enforcing ? 'none' : 'observe' };
  if (object.failsafe === null || unpack(object.failsafe).length === 0)
    return refusal('EDW_ERR_HOST_NO_MANAGEMENT', 'the policy names nobody who may always reach tcp/22');
  const view = viewOf(policy);
  const cut = (port: number): string | null => firstCut(view, object.name, port, host.sessions);
  const session = host.enforcing ? null : cut(SSH);
  if (session !== null) return refusal('EDW_ERR_HOST_WOULD_CUT', `the session of ${session} on tcp/22 would be cut`);
  const client = host.servicePort === null ? null : cut(host.servicePort);
  if (client === null) return { form: 'served' };
  const words = `the sync service runs here, and ${client} would not reach it on tcp/${host.servicePort}`;
  // A host that enforces is not opened for that: it keeps what it has.
  return { ...refusal('EDW_ERR_HOST_WOULD_CUT', words), form: host.enforcing ? 'none' : 'observe' };
}

const SSH = 22;

function firstCut(view: LoadedPolicy, to: string, port: number, sessions: readonly Session[]): string | null {
  const here = sessions.filter(({ localPort }) => localPort === port);
  return (
    here.find(({ peer }) => decide(view, { from: peer, to, port: `tcp/${port}` }).verdict === 'deny')?.peer ?? null
  );
}

const MENDS: Record<RefusalCode, string> = {
  EDW_ERR_HOST_KUBERNETES:
    'Leave the nodes of Kubernetes to its own network policies, and write `mode: observe` for this host. If it is none any more, remove what is named.',
  EDW_ERR_HOST_NO_MANAGEMENT:
    'Add a document of kind Point with the name of this point and `management: [CIDR]`, who may always reach tcp/22. Until then the host is observed.',
  EDW_ERR_HOST_WOULD_CUT:
    'Add the address that is named to `management` of this point or to a rule, or end that session: it is looked at again every minute.',
};

function refusal(code: RefusalCode, why: string): Extract<Judgement, { form: 'observe' | 'none' }> {
  return { form: 'observe', code, message: `enforcing on this host: ${why}`, mend: MENDS[code] };
}
