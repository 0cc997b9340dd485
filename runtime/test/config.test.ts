import t from 'tap';
import * as z from 'zod';
import { EdgewardError } from '../src/errors.ts';
import { describeSchema, loadConfig } from '../src/index.ts';

const schema = z.strictObject({
  logLevel: z.enum(['info', 'debug']).default('info').describe('How much is logged.'),
  status: z
    .strictObject({ port: z.int().min(0).max(65535).default(9300), open: z.boolean().default(false) })
    .prefault({}),
  tags: z.array(z.string()).default([]),
  points: z
    .array(
      z.discriminatedUnion('type', [
        z.strictObject({ type: z.literal('nginx'), name: z.string().min(1), control: z.string() }),
        z.strictObject({ type: z.literal('host'), name: z.string().min(1) }),
      ]),
    )
    .default([]),
  labels: z.record(z.string(), z.string()).optional(),
});

function problemsOf(input: Partial<Parameters<typeof loadConfig<typeof schema>>[0]>): string[] {
  try {
    loadConfig({ schema, value: null, file: 'edgeward.yaml', ...input });
  } catch (thrown) {
    if (!(thrown instanceof EdgewardError) || thrown.code !== 'EDW_ERR_CONFIG') throw thrown;
    return thrown.message.split('\n').map((line) => line.trim());
  }
  return [];
}

t.test('a flag wins over the environment, that over the file, that over the default', async (t) => {
  const value = { status: { port: 1 } };
  const env = { EDGEWARD_STATUS__PORT: '2', OTHER: 'x' };
  const table = [
    { name: 'default', input: { value: null }, port: 9300 },
    { name: 'file', input: { value }, port: 1 },
    { name: 'environment', input: { value, env }, port: 2 },
    { name: 'flag as text', input: { value, env, flags: { 'status.port': '3' } }, port: 3 },
    { name: 'flag as number', input: { value, env, flags: { 'status.port': 4, logLevel: undefined } }, port: 4 },
  ];
  for (const { name, input, port } of table) t.equal(loadConfig({ schema, ...input }).status.port, port, name);
  t.strictSame(value, { status: { port: 1 } }, 'the value that was handed in is left alone');
});

t.test('an environment value is read as the type of its key', async (t) => {
  const env = {
    EDGEWARD_LOG_LEVEL: 'debug',
    EDGEWARD_STATUS__OPEN: 'true',
    EDGEWARD_TAGS: 'a, b',
    EDGEWARD_POINTS: '[{"type":"host","name":"h"}]',
  };
  t.match(loadConfig({ schema, value: null, env }), {
    logLevel: 'debug',
    status: { open: true },
    tags: ['a', 'b'],
    points: [{ type: 'host', name: 'h' }],
  });
});

t.test('every problem is reported at once, with path, value and what is accepted', async (t) => {
  const value = {
    logLevel: 'loud',
    token: 'hunter2',
    status: { port: 'x', prot: 1 },
    points: [
      { type: 'bigip', name: 'a' },
      { type: 'nginx', name: '' },
    ],
  };
  const env = { EDGEWARD_STATUS__OPEN: 'yes', EDGEWARD_LOGLEVEL: 'debug' };
  const problems = problemsOf({ value, env, flags: { nonsense: 1 } });
  t.strictSame(problems.toSorted(), [
    'EDGEWARD_LOGLEVEL: unknown environment variable',
    'logLevel: "loud"; accepted: "info", "debug"',
    'nonsense: unknown flag',
    'points[0].type: "bigip"; accepted: "nginx", or "host"',
    'points[1].control: missing; accepted: text',
    'points[1].name: ""; accepted: text that is not empty',
    'reading edgeward.yaml: 10 problems',
    'status.open (EDGEWARD_STATUS__OPEN): "yes"; accepted: true, false',
    'status.port: "x"; accepted: an integer from 0 to 65535',
    'status.prot: unknown key; accepted: open, port',
    'token: unknown key; accepted: labels, logLevel, points, status, tags',
  ]);
  t.notMatch(problems.join('\n'), 'hunter2', 'the value of an unknown key, maybe a secret, is not shown');
});

t.test('what is no object at all is one problem', async (t) => {
  t.match(problemsOf({ value: ['a'] }), [
    'reading edgeward.yaml: 1 problem',
    /^the whole file: \["a"\]; accepted: keys/,
  ]);
});

t.test('variables that Kubernetes and Docker set beside a service are passed over, as are named others', async (t) => {
  const env = {
    EDGEWARD_SERVICE_HOST: '1',
    EDGEWARD_PORT_443_TCP_ADDR: '2',
    EDGEWARD_PORT: 'tcp://x',
    EDGEWARD_CONFIG: 'f',
  };
  t.strictSame(problemsOf({ env, otherEnv: ['EDGEWARD_CONFIG'] }), []);
});

t.test('a schema is described as flat rows, one a key', async (t) => {
  const rows = describeSchema(schema).map((row) => [row.path, row.type, row.default, row.required, row.env]);
  t.strictSame(rows, [
    ['logLevel', '"info" | "debug"', '"info"', false, 'EDGEWARD_LOG_LEVEL'],
    ['status', 'object', '{}', false, 'EDGEWARD_STATUS'],
    ['status.port', 'integer', '9300', false, 'EDGEWARD_STATUS__PORT'],
    ['status.open', 'boolean', 'false', false, 'EDGEWARD_STATUS__OPEN'],
    ['tags', 'string[]', '[]', false, 'EDGEWARD_TAGS'],
    ['points', 'object[]', '[]', false, 'EDGEWARD_POINTS'],
    ['points[].type', '"nginx" | "host"', null, true, null],
    ['points[].name', 'string', null, true, null],
    ['points[].control', 'string', null, true, null],
    ['labels', 'object', null, false, 'EDGEWARD_LABELS'],
    ['labels.*', 'string', null, false, null],
  ]);
  t.equal(describeSchema(schema)[0]?.description, 'How much is logged.');
});
