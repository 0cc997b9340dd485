/** Bad input: every code of the core has a case here, and each case finds that and nothing else. */
import {
  compilePoint,
  type Finding,
  linkModel,
  lint,
  type Path,
  POLICY_ERRORS,
  POLICY_WARNINGS,
  pointsOf,
  pointViews,
  resolve,
  runPolicyTests,
} from '@edgeward/policy';
import t from 'tap';
import { badDocuments } from './cases/bad-documents.ts';
import { badPolicies } from './cases/bad-policies.ts';
import { type Case, type Found, NOW } from './cases/case.ts';
import { fragmented } from './cases/fragments.ts';
import { meaning } from './cases/meaning.ts';
import { digest } from './compiled.ts';

interface Reading {
  findings: Finding[];
  /** Code and place of each finding, sorted. */
  found: Found[];
}

/** Everything that is said of a directory, as `edgeward check` and `edgeward test` do. */
function read({
  documents,
  now = NOW,
  inventoryOnly = false,
}: Pick<Case, 'documents' | 'now'> & { inventoryOnly?: boolean }): Reading {
  const places: string[] = [];
  const sources = documents.map((value, at) => ({
    file: 'policy.yaml',
    value,
    locate: (path: Path) => ({ line: at + 1, column: places.push([at, ...path].join('.')) }),
  }));
  const findings: Finding[] = [];
  const model = linkModel(sources, findings);
  if (!findings.some(({ severity }) => severity === 'error')) {
    const resolution = resolve(model, Date.parse(now));
    findings.push(...lint(resolution, { inventoryOnly }));
    for (const point of pointsOf(resolution)) compilePoint(resolution, point, { revision: 0, digest });
    findings.push(...runPolicyTests(resolution, pointViews(resolution, digest), inventoryOnly).findings);
  }
  const found = findings.map(({ code, column }): Found => [code, places[column - 1] ?? 'nowhere']);
  return { findings, found: found.sort() };
}

const cases: Case[] = [...badDocuments, ...badPolicies, ...meaning];

for (const it of cases) {
  t.test(it.name, async (t) => {
    const { findings, found } = read(it);
    t.strictSame(found, it.finds.slice().sort());
    for (const finding of findings) {
      const warns = finding.code.startsWith('EDW_WARN_');
      t.equal(finding.severity, warns ? 'warning' : 'error', 'its code says how bad it is');
      t.equal(finding.mend, { ...POLICY_ERRORS, ...POLICY_WARNINGS }[finding.code], 'it says what to do');
      t.notMatch(finding.message, /\p{C}|[\u2028\u2029]/u, 'its message is one printable line');
    }
  });
}

t.test('an object may have 65535 classes of sources, and one more is refused', async (t) => {
  const at =
    (rules: number): (() => unknown) =>
    () =>
      read({ documents: fragmented(rules) });
  t.doesNotThrow(at(16));
  t.throws(at(17), { code: 'EDW_ERR_TOO_FRAGMENTED', message: /the rules of 'front' divide its sources/ });
});

t.test('every code of the core is found by a case, and no code is retired without its cases', async (t) => {
  const found = new Set(cases.flatMap(({ finds }) => finds.map(([code]) => code)));
  // It is no finding of a document but of all rules of an object together; the test above has it.
  found.add('EDW_ERR_TOO_FRAGMENTED');
  t.strictSame([...found].sort(), [...Object.keys(POLICY_ERRORS), ...Object.keys(POLICY_WARNINGS)].sort());
  t.strictSame(
    Object.keys(POLICY_ERRORS).filter((code) => !/^EDW_ERR_[A-Z_]+$/.test(code)),
    [],
  );
  t.strictSame(
    Object.keys(POLICY_WARNINGS).filter((code) => !/^EDW_WARN_[A-Z_]+$/.test(code)),
    [],
  );
});

t.test('everything that is wrong is said at once', async (t) => {
  const { findings, found } = read({
    documents: [
      'no document',
      { kind: 'Workload', name: 'a;b', labels: { env: 1, 'a b': 'x' }, addresses: ['10.0.0', '10.0.0.1/8'], adress: 1 },
      { kind: 'VirtualServer', name: 'front', labels: {}, bind: ' ', ports: ['udp/443', 'tcp/2-1'], mode: 'on' },
      {
        kind: 'Policy',
        name: 'p',
        rules: [
          { id: 'r', from: [{ network: 'n' }, { cidr: '10.0.0.1/8' }, {}], to: '', services: ['s'], until: 'now' },
          { id: 'r', from: [{ any: true }], to: 'all()', http: [{ path: '//' }, {}] },
        ],
        tests: [{ from: 'x', to: 'front', port: '443', expect: 'allow' }],
      },
    ],
  });
  t.strictSame(found, [
    ['EDW_ERR_ADDRESS', '1.addresses.0'],
    ['EDW_ERR_ADDRESS', '1.addresses.1'],
    ['EDW_ERR_ADDRESS', '3.tests.0.from'],
    ['EDW_ERR_CHOICE', '2.mode'],
    ['EDW_ERR_DOCUMENT', '0'],
    ['EDW_ERR_DUPLICATE_RULE', '3.rules.1.id'],
    ['EDW_ERR_HOST_BITS', '3.rules.0.from.1.cidr'],
    ['EDW_ERR_HTTP_CONDITION', '3.rules.1.http.1'],
    ['EDW_ERR_HTTP_PATH', '3.rules.1.http.0.path'],
    ['EDW_ERR_LABEL', '1.labels.a b'],
    ['EDW_ERR_LABEL_NOT_STRING', '1.labels.env'],
    ['EDW_ERR_MISSING_KEY', '2'],
    ['EDW_ERR_NAME', '1.name'],
    ['EDW_ERR_NAME', '2.bind'],
    ['EDW_ERR_PORT', '3.tests.0.port'],
    ['EDW_ERR_PORT_RANGE', '2.ports.1'],
    ['EDW_ERR_SELECTOR', '3.rules.0.to'],
    ['EDW_ERR_SOURCE_TERM', '3.rules.0.from.2'],
    ['EDW_ERR_TIME', '3.rules.0.until'],
    ['EDW_ERR_UDP_ON_HTTP', '2.ports.0'],
    ['EDW_ERR_UNKNOWN_KEY', '1.adress'],
    ['EDW_ERR_UNKNOWN_NETWORK', '3.rules.0.from.0.network'],
    ['EDW_ERR_UNKNOWN_SERVICE', '3.rules.0.services'],
  ]);
  t.ok(
    findings.every(({ file, line, severity }) => file === 'policy.yaml' && line >= 1 && severity === 'error'),
    'each with its file and line',
  );
});

t.test('a misspelt key is told what it may have meant', async (t) => {
  const messageFor = (key: string): string | undefined =>
    read({ documents: [{ kind: 'Point', name: 'p', management: [], [key]: 'x' }] }).findings[0]?.message;
  t.equal(messageFor('owners'), "unknown key 'owners' in the document; did you mean 'owner'?");
  t.equal(messageFor('managment'), "unknown key 'managment' in the document; did you mean 'management'?");
  t.equal(messageFor('completelyElse'), "unknown key 'completelyElse' in the document");
});

t.test('a label that YAML reads as no string is told to be quoted', async (t) => {
  const { findings } = read({
    documents: [{ kind: 'Workload', name: 'w', labels: { env: 1 }, addresses: [] }],
  });
  t.match(findings, [{ message: "the label 'env' is 1, which is no string", mend: 'Put the value in quotes.' }]);
});
