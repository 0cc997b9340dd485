/** What may be enforced on a host, and what is observed instead. */
import { compileDocuments } from '@edgeward/test/kit';
import t from 'tap';
import { judge, type Surroundings } from '../../src/safety/judgement.ts';
import { noPolicy, observedPolicy } from '../../src/safety/observed-policy.ts';

interface Shape {
  mode?: 'enforce' | 'observe' | 'off';
  management?: string[] | null;
  ssh?: string[];
}

function policyOf({ mode = 'enforce', management = ['10.99.0.0/24'], ssh = ['10.5.0.0/16'] }: Shape) {
  const workload = {
    kind: 'Workload',
    name: 'db-1',
    labels: { app: 'db' },
    addresses: ['10.40.0.7'],
    point: 'h',
    mode,
  };
  const rules = [{ id: 'ssh', from: ssh.map((cidr) => ({ cidr })), to: "app == 'db'", ports: ['tcp/22'] }];
  const documents = [workload, { kind: 'Policy', name: 'p', rules }];
  const point = management === null ? [] : [{ kind: 'Point', name: 'h', management }];
  return compileDocuments([...documents, ...point], { revision: 7, point: 'h' });
}

const quiet: Surroundings = { kubernetes: null, sessions: [], servicePort: null, enforcing: false };
const ssh = (peer: string) => [{ localPort: 22, peer }];
const service = (peer: string) => [{ localPort: 7443, peer }];

t.test('a policy is enforced, observed, or not taken at all', async (t) => {
  const cases: { name: string; shape?: Shape; host?: Partial<Surroundings>; form: string; code?: string }[] = [
    { name: 'nothing stands against it', form: 'served' },
    { name: 'a session of management', host: { sessions: ssh('10.99.0.7') }, form: 'served' },
    { name: 'a session that a rule allows', host: { sessions: ssh('10.5.1.1') }, form: 'served' },
    { name: 'a session that would be cut', host: { sessions: ssh('203.0.113.9') }, form: 'observe', code: 'WOULD_CUT' },
    {
      name: 'one of IPv6 that would be cut',
      host: { sessions: ssh('2001:db8:0:0:0:0:0:9') },
      form: 'observe',
      code: 'WOULD_CUT',
    },
    {
      name: 'one of two that would be cut',
      host: { sessions: [...ssh('10.99.0.7'), ...ssh('203.0.113.9')] },
      form: 'observe',
      code: 'WOULD_CUT',
    },
    {
      name: 'a session elsewhere than tcp/22',
      host: { sessions: [{ localPort: 2222, peer: '203.0.113.9' }] },
      form: 'served',
    },
    {
      name: 'a revoked session where it is enforced',
      host: { sessions: ssh('203.0.113.9'), enforcing: true },
      form: 'served',
    },
    {
      name: 'a client of the service here',
      host: { sessions: service('10.1.1.1'), servicePort: 7443 },
      form: 'observe',
      code: 'WOULD_CUT',
    },
    {
      name: 'a client of the service, where it is enforced',
      host: { sessions: service('10.1.1.1'), servicePort: 7443, enforcing: true },
      form: 'none',
      code: 'WOULD_CUT',
    },
    { name: 'a client of something else', host: { sessions: service('10.1.1.1') }, form: 'served' },
    {
      name: 'a node of Kubernetes',
      host: { kubernetes: 'there is a chain KUBE-X' },
      form: 'observe',
      code: 'KUBERNETES',
    },
    { name: 'a node, only observed', shape: { mode: 'observe' }, host: { kubernetes: 'x' }, form: 'served' },
    { name: 'off', shape: { mode: 'off' }, host: { sessions: ssh('203.0.113.9') }, form: 'served' },
  ];
  for (const { name, shape = {}, host = {}, form, code } of cases) {
    const judgement = judge(policyOf(shape), { ...quiet, ...host });
    const found = judgement.form === 'served' ? undefined : judgement.code;
    t.strictSame([judgement.form, found], [form, code === undefined ? undefined : `EDW_ERR_HOST_${code}`], name);
  }
  const cut = judge(policyOf({}), { ...quiet, sessions: ssh('203.0.113.9') });
  t.match(cut, { message: /203\.0\.113\.9 on tcp\/22/, mend: /management/ }, 'it names who would be cut');
});

t.test('a policy without management is observed, also one that a compiler let through', async (t) => {
  const policy = policyOf({ management: null });
  t.strictSame(
    policy.objects.map(({ mode }) => mode),
    ['observe'],
    'it is compiled so',
  );
  const objects = policy.objects.map((object) => ({ ...object, mode: 'enforce' as const }));
  t.match(judge({ ...policy, objects }, quiet), { form: 'observe', code: 'EDW_ERR_HOST_NO_MANAGEMENT' });
});

t.test('an empty policy is nobody to judge', async (t) => {
  t.strictSame(judge(noPolicy('h', 3), quiet), { form: 'served' });
});

t.test('an observed policy is another one, so that who passed is judged anew when it is enforced', async (t) => {
  const policy = policyOf({});
  const observed = observedPolicy(policy);
  t.not(observed.hash, policy.hash);
  t.match(observed.hash, /^[0-9a-f]{64}$/);
  t.strictSame(
    observed.objects.map(({ mode }) => mode),
    ['observe'],
  );
  t.strictSame(
    policy.objects.map(({ mode }) => mode),
    ['enforce'],
    'what was served is not touched',
  );
  t.strictSame(observedPolicy(policy), observed, 'twice the same');
});
