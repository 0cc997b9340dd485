/** The published schemas say what the code checks, and every good vector conforms to them. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import * as z from 'zod';
import { readVectorFiles, type VectorFile } from '../conformance/vector-files.ts';
import { publishedSchemas } from './published-schemas.ts';

const folder = join(import.meta.dirname, '..', 'schemas');
const read = (name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(folder, `${name}.schema.json`), 'utf8'));

t.test('the published schemas are what the code checks', async (t) => {
  const made = publishedSchemas();
  if (process.env.TAP_SNAPSHOT === '1')
    for (const [name, schema] of made)
      writeFileSync(join(folder, `${name}.schema.json`), `${JSON.stringify(schema, null, 2)}\n`);
  const files = readdirSync(folder).filter((name) => name.endsWith('.schema.json'));
  t.strictSame(files.sort(), [...made.keys()].map((name) => `${name}.schema.json`).sort());
  for (const [name, schema] of made) t.strictSame(read(name), schema, `${name}: TAP_SNAPSHOT=1 writes it anew`);
});

/** Read back from the file, so that what is judged is what others read. */
const conforms = (name: string): ((value: unknown) => boolean) => {
  const schema = z.fromJSONSchema(read(name));
  return (value) => schema.safeParse(value).success;
};

interface Document {
  schema: string;
  value: unknown;
}

type NamesBlobs = Record<'approval' | 'rules' | 'members', { digest: string }>;

interface SentDelta {
  head: { payload: unknown };
}

/** Everything that good vectors say, by what it is. */
function* goodDocuments({ vectors, documents, blobs }: VectorFile): Iterable<Document> {
  const parsed = (base64: string | undefined): unknown => JSON.parse(Buffer.from(base64 ?? '', 'base64').toString());
  const payload = (signed: unknown): unknown =>
    JSON.parse(Buffer.from((signed as { payload: string }).payload, 'base64url').toString());
  for (const { request, expect } of vectors.flatMap(({ steps }) => steps)) {
    if (!('accept' in expect)) continue;
    if (request.do === 'begin') {
      const root = parsed(documents[String(request.root)]);
      yield { schema: 'signed-document', value: root };
      yield { schema: 'trust-root', value: payload(root) };
    }
    if (request.do !== 'head' && request.do !== 'delta') continue;
    const value = parsed(documents[String(request.bytes)]);
    yield { schema: request.do === 'head' ? 'signed-document' : 'delta', value };
    const head = (request.do === 'head' ? payload(value) : (value as SentDelta).head.payload) as NamesBlobs;
    yield { schema: 'head', value: head };
    const approval = parsed(blobs[head.approval.digest]) as { approval: unknown };
    yield { schema: 'slice-approval', value: approval };
    yield { schema: 'approval', value: payload(approval.approval) };
    yield { schema: 'rules', value: parsed(blobs[head.rules.digest]) };
    yield { schema: 'member-index', value: parsed(blobs[head.members.digest]) };
  }
}

t.test('what good vectors say conforms to the published schemas', async (t) => {
  const checks = new Map([...publishedSchemas().keys()].map((name) => [name, conforms(name)]));
  const counts = new Map<string, number>();
  for (const [file, content] of readVectorFiles(join(folder, '..', 'conformance', 'vectors'))) {
    const wrong = new Set<string>();
    for (const { schema, value } of goodDocuments(content)) {
      counts.set(schema, (counts.get(schema) ?? 0) + 1);
      if (checks.get(schema)?.(value) !== true) wrong.add(`${schema}: ${JSON.stringify(value).slice(0, 200)}`);
    }
    t.strictSame([...wrong], [], file);
  }
  t.strictSame([...counts.keys()].sort(), [...checks.keys()].filter((name) => name !== 'point-report').sort());
});

t.test('what has a field too many or too few does not conform', async (t) => {
  const [, honest] = [...readVectorFiles(join(folder, '..', 'conformance', 'vectors'))].find(
    ([name]) => name === 'honest',
  ) as [string, VectorFile];
  const one = new Map(
    [...goodDocuments(honest)].map(({ schema, value }) => [schema, value as Record<string, unknown>]),
  );
  for (const [name, value] of one) {
    const check = conforms(name);
    t.equal(check(value), true, name);
    t.equal(check({ ...value, more: 1 }), false, `${name} with a field too many`);
    for (const key of Object.keys(value)) {
      const { [key]: _left, ...rest } = value;
      t.equal(check(rest), false, `${name} without ${key}`);
    }
  }
});
