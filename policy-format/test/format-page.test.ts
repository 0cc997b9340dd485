/** docs/format.md says what the code does: bounds, features, codes, and every byte of the example. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { canonicalJson, cursorOf, digestOf, FEATURES, LIMITS } from '@edgeward/policy-format';
import t from 'tap';
import { blocksOf, page, tableRows } from '../../test/docs/markdown.ts';
import { createLastHop, createSignedWorld, simpleGroup, simpleSlices } from '../../test/kit/signed-world.ts';
import { readVectorFiles } from '../conformance/vector-files.ts';
import { MENDS } from '../src/mends.ts';

const PATH = 'docs/format.md';

async function example(): Promise<Map<string, string>> {
  const store = await createSignedWorld({ seed: 'format' });
  await store.publish(simpleSlices(), { members: { [simpleGroup()]: ['10.30.0.10', '10.30.0.9'] } });
  const { head, signed, version, book } = store.at('edge-1');
  const text = (digest: string): string => `${Buffer.from(store.blob(digest) ?? []).toString()}\n`;
  const hop = createLastHop(store, 'edge-1');
  const { state } = await hop.take();
  await store.move({ [simpleGroup()]: ['10.30.0.10', '10.30.0.11', '10.30.0.9'] });
  const operations = store.delta('edge-1', cursorOf(state))?.operations;
  return new Map([
    ['json rules', text(head.rules.digest)],
    ['text term', "workloads app == 'crm' within 10.30.0.0-10.30.255.255\n"],
    ['text page', book.page(0).bytes.toString()],
    ['json index', text(head.members.digest)],
    ['json approval', `${canonicalJson(version.approval)}\n`],
    ['text leaf', `edge-1\n${head.rules.digest}\n`],
    ['text state', `edgeward-state/1\n${head.approval.digest}\n${head.rules.digest}\n-\n${head.members.digest}\n`],
    ['json head', `${canonicalJson(head)}\n`],
    ['json signatures', `${canonicalJson(signed.signatures)}\n`],
    ['json operations', `${canonicalJson(operations)}\n`],
  ]);
}

t.test('every byte of the example is what the code makes', async (t) => {
  const made = await example();
  if (process.env.TAP_SNAPSHOT === '1') writeFileSync(new URL(`../../${PATH}`, import.meta.url), withBlocks(made));
  const blocks = new Map(blocksOf(page(PATH)).map(({ info, text }) => [info, text]));
  for (const [info, text] of made) t.equal(blocks.get(info), text, `${info}: TAP_SNAPSHOT=1 writes it anew`);
  t.strictSame([...blocks.keys()], [...made.keys()]);
});

function withBlocks(made: ReadonlyMap<string, string>): string {
  return page(PATH).replace(/^```([^\n]+)\n(.*?)^```$/gms, (block, info: string) => {
    const text = made.get(info.trim());
    return text === undefined ? block : `\`\`\`${info}\n${text}\`\`\``;
  });
}

t.test('the digests of the example follow from its texts, as the page says', async (t) => {
  const blocks = new Map(blocksOf(page(PATH)).map(({ info, text }) => [info, text]));
  const text = (info: string): string => blocks.get(info) ?? '';
  const bare = (info: string): string => text(info).replace(/\n$/, '');
  const head = JSON.parse(text('json head'));
  t.equal(`g.${digestOf(bare('text term')).slice(0, 16)}`, simpleGroup());
  t.strictSame(head.rules, { digest: digestOf(bare('json rules')), bytes: bare('json rules').length });
  t.strictSame(head.members, { digest: digestOf(bare('json index')), bytes: bare('json index').length });
  t.equal(JSON.parse(text('json index')).pages[0].digest, digestOf(text('text page')));
  t.equal(head.stateRoot, digestOf(text('text state')));
});

t.test('the bounds of the page are those of the code', async (t) => {
  const rows = tableRows(page(PATH), ['of', 'bound']).map(([name, bound]) => [name, Number(bound)]);
  t.strictSame(rows, Object.entries(LIMITS));
});

t.test('the features of the page are those of the code', async (t) => {
  const rows = tableRows(page(PATH), ['feature', 'a reader has to know']).map(([name]) => name);
  t.strictSame(rows, [...FEATURES]);
});

t.test('the page has every code, at the stage where the vectors expect it', async (t) => {
  const everywhere = ['TOO_LARGE', 'DEPTH', 'NOT_CANONICAL', 'SIGNED'].map((it) => `EDW_ERR_FORMAT_${it}`);
  const ofFetching = ['EDW_ERR_BLOB_MISSING', 'EDW_ERR_FORMAT_DIGEST'];
  const listed = new Map([['fetch', new Set(ofFetching)]]);
  for (const [, stage = '', , codes = ''] of tableRows(page(PATH), ['step', 'stage', 'holds', 'codes'])) {
    const known = listed.get(stage) ?? new Set(everywhere);
    for (const [code] of codes.matchAll(/EDW_ERR_[A-Z_]+/g)) known.add(code);
    listed.set(stage, known);
  }
  for (const code of ofFetching) t.match(page(PATH), `\`${code}\``);
  const all = new Set([...listed.values()].flatMap((codes) => [...codes]));
  const ofOthers = ['EDW_ERR_FORMAT_QUESTION', 'EDW_ERR_FORMAT_REPORT', 'EDW_ERR_KEY'];
  t.strictSame(
    Object.keys(MENDS).filter((code) => !all.has(code)),
    ofOthers,
  );
  const files = readVectorFiles(fileURLToPath(new URL('../conformance/vectors', import.meta.url)));
  for (const { expect } of [...files.values()].flatMap(({ vectors }) => vectors.flatMap(({ steps }) => steps)))
    if ('stage' in expect && expect.stage !== 'format')
      t.ok(listed.get(expect.stage)?.has(expect.code), `${expect.stage} ${expect.code}`);
});

t.test('every document has its table, with every field of the code', async (t) => {
  const fields = (name: string): string[] =>
    Object.keys(JSON.parse(page(`policy-format/schemas/${name}.schema.json`)).properties);
  const tables = tableRows(page(PATH), ['field', '']).map(([cell = '']) =>
    [...`\`${cell}\``.replaceAll('``', '`').matchAll(/`(\w+)`/g)].map(([, name]) => name),
  );
  const named = tables.flat();
  const expected = ['trust-root', 'approval', 'rules', 'head'].flatMap(fields);
  t.strictSame(named.toSorted(), expected.toSorted());
});
