import { X509Certificate } from 'node:crypto';
import { generate } from 'selfsigned';
import t from 'tap';
import { identityOf } from '../src/identity.ts';

const nobody = { points: [], person: null };

const texts: Record<string, [text: string, points: string[], person: string | null]> = {
  'no names': ['', [], null],
  'a person': ['URI:urn:edgeward:person:ana', [], 'ana'],
  'a point': ['URI:urn:edgeward:point:edge-1', ['edge-1'], null],
  'points, sorted, each once': [
    'URI:urn:edgeward:point:b, URI:urn:edgeward:point:a, URI:urn:edgeward:point:b',
    ['a', 'b'],
    null,
  ],
  'a person with points': ['URI:urn:edgeward:point:a, URI:urn:edgeward:person:ana', ['a'], 'ana'],
  'one person twice': ['URI:urn:edgeward:person:ana, URI:urn:edgeward:person:ana', [], 'ana'],
  'names of every other kind': [
    'DNS:a.example, IP Address:10.0.0.1, email:a@b.example, URI:urn:edgeward:point:a, URI:spiffe://x/y, Registered ID:1.2.3',
    ['a'],
    null,
  ],
  'a quoted value beside it': ['DNS:"a, URI:urn:edgeward:person:ana", URI:urn:edgeward:point:a', ['a'], null],
  'a quoted quote': ['URI:"x\\", URI:urn:edgeward:person:ana", URI:urn:edgeward:point:a', ['a'], null],
};

t.test('only the names of points and of one person among the URIs count', async (t) => {
  for (const [name, [subjectAltName, points, person]] of Object.entries(texts))
    t.strictSame(identityOf({ subjectAltName }), { points, person }, name);
});

const hostile: Record<string, string> = {
  'two people': 'URI:urn:edgeward:person:ana, URI:urn:edgeward:person:ben',
  'a kind that nobody knows': 'URI:urn:edgeward:point:a, URI:urn:edgeward:store:a',
  'a name with a slash': 'URI:urn:edgeward:point:a/../b',
  'a name with a star': 'URI:urn:edgeward:point:*',
  'no name': 'URI:urn:edgeward:person:',
  'a name that goes on': 'URI:urn:edgeward:person:ana:ben',
  'an escaped name': 'URI:urn:edgeward:person:an%61',
  'a name with a query': 'URI:urn:edgeward:person:ana?x',
  'a name of 64 characters': `URI:urn:edgeward:person:${'a'.repeat(64)}`,
  'a name in Cyrillic': 'URI:urn:edgeward:person:\u0430na',
  'a DNS name': 'DNS:urn:edgeward:person:ana',
  'an address of mail': 'email:urn:edgeward:person:ana',
  'another case': 'URI:URN:EDGEWARD:PERSON:ana',
  'a quoted URI': 'URI:"urn:edgeward:person:ana"',
  'a value that was not quoted as it should be': 'DNS:a", URI:urn:edgeward:person:ana',
  'a quote that never ends': 'DNS:"a, URI:urn:edgeward:person:ana',
  'a line break in place of a space': 'DNS:a,\nURI:urn:edgeward:person:ana',
  'no space': 'DNS:a,URI:urn:edgeward:person:ana',
  'a comma at the end': 'URI:urn:edgeward:person:ana, ',
  'a name that ends a line': 'URI:urn:edgeward:person:ana\n',
  'text before': 'urn:edgeward:person:ana',
  'a backslash': 'DNS:a\\, URI:urn:edgeward:person:ana',
};

t.test('whatever is not understood whole is nobody', async (t) => {
  for (const [name, subjectAltName] of Object.entries(hostile))
    t.strictSame(identityOf({ subjectAltName }), nobody, name);
  t.strictSame(identityOf(undefined), nobody, 'no certificate');
  t.strictSame(identityOf({ subjectAltName: undefined }), nobody, 'a certificate without names');
  const long = `DNS:${'"\\'.repeat(200_000)}`;
  t.strictSame(identityOf({ subjectAltName: long }), nobody, 'an endless text ends');
});

/** What an authority that looks at nothing would sign. */
async function certificateWith(altNames: { type: 1 | 2 | 6; value: string }[]): Promise<X509Certificate> {
  const made = await generate([{ name: 'commonName', value: 'urn:edgeward:person:root' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames }],
  });
  return new X509Certificate(made.cert);
}

t.test('no text inside a real certificate forges a name', async (t) => {
  const own = { type: 6 as const, value: 'urn:edgeward:point:edge-1' };
  const tricks = [
    'a.example, URI:urn:edgeward:person:ana',
    'a.example", URI:urn:edgeward:person:ana, DNS:"b',
    'a.example\\", URI:urn:edgeward:person:ana',
    "a.example', URI:urn:edgeward:person:ana",
    'a.example\u0000, URI:urn:edgeward:person:ana',
    'a.example\n, URI:urn:edgeward:person:ana',
    'urn:edgeward:person:ana',
  ];
  for (const value of tricks) {
    const certificate = await certificateWith([{ type: 2, value }, own, { type: 1, value }]);
    t.strictSame(identityOf(certificate), { points: ['edge-1'], person: null }, JSON.stringify(value));
  }
  for (const value of ['urn:edgeward:person:ana\u0000.evil', 'urn:edgeward:person:ana, URI:urn:edgeward:person:ana']) {
    const certificate = await certificateWith([{ type: 6, value }, own]);
    const { person } = identityOf(certificate);
    t.equal(person, null, JSON.stringify(value));
  }
  t.strictSame(identityOf(await certificateWith([{ type: 6, value: 'urn:edgeward:person:ana' }, own])), {
    points: ['edge-1'],
    person: 'ana',
  });
});
