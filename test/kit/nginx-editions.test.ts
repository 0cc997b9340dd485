/** That an edition is what its name says: a test of "every NGINX" would else prove less than it claims. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { onEveryNginx, rawRequest } from './index.ts';
import type { NginxEditionName } from './nginx-edition-names.ts';
import { nginxEdition } from './nginx-editions.ts';

interface Known {
  nginx: RegExp;
  njs: RegExp;
  /** Null where its njs can't say. */
  engine: string | null;
}

const known: Partial<Record<NginxEditionName, Known>> = {
  'debian-12': { nginx: /^1\.22\./, njs: /^0\.7\./, engine: null },
  'debian-13': { nginx: /^1\.26\./, njs: /^0\.8\./, engine: 'njs' },
  'debian-14-njs': { nginx: /^1\.(2[89]|[3-9]\d)\./, njs: /^1\./, engine: 'njs' },
  'debian-14-qjs': { nginx: /^1\.(2[89]|[3-9]\d)\./, njs: /^1\./, engine: 'QuickJS' },
};

const claim = await onEveryNginx(t);

t.test('an edition has the versions of its name', async (t) => {
  for (const [name, { nginx, njs }] of Object.entries(known)) {
    const { binary } = await nginxEdition(name as NginxEditionName);
    t.match(binary, { nginxVersion: nginx, njsVersion: njs }, name);
  }
});

claim('an edition has the engine of its name', async (t, on) => {
  const edge = await on.startEdge(t, { servers: [{ name: 'engine', protect: false }] });
  const module = join(edge.paths.folder, 'engine.js');
  await writeFile(module, 'function engine(r) { r.return(200, njs.engine); }\nexport default { engine };\n');
  await edge.configure({
    extra: `js_import asked from ${module};`,
    servers: [{ name: 'engine', protect: false, root: false, extra: 'location / { js_content asked.engine; }' }],
  });
  await edge.reload();
  const { body } = await rawRequest({ port: edge.port, bytes: 'GET / HTTP/1.0\r\n\r\n' });
  t.equal(body, known[on.edition]?.engine);
});
