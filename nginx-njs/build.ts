import { rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build } from 'esbuild';
import { rareModules } from './rare-modules.ts';

/**
 * Bundles the NGINX module, and proves that everything which must run in njs is written in its dialect: what njs 0.8
 * can't parse is switched off, so esbuild lowers it or stops with file and line. The whole of `policy/` is held to
 * that, although only a part travels.
 */
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const UNSUPPORTED = {
  'async-generator': false,
  bigint: false,
  class: false,
  'default-argument': false,
  destructuring: false,
  'for-of': false,
  generator: false,
  'logical-assignment': false,
  'nullish-coalescing': false,
  'object-rest-spread': false,
  'optional-chain': false,
  'optional-catch-binding': false,
  'rest-argument': false,
  'array-spread': false,
} as const;

const common: BuildOptions & { write: false } = {
  bundle: true,
  format: 'esm',
  platform: 'neutral',
  target: 'es2017',
  supported: UNSUPPORTED,
  conditions: ['edgeward-source'],
  external: ['fs', 'crypto'],
  charset: 'ascii',
  write: false,
};

await build({ ...common, entryPoints: [here('../policy/src/index.ts')] });
const module = await build({
  ...common,
  entryPoints: [here('src/http.ts')],
  treeShaking: true,
  plugins: [rareModules(common)],
});
const text = module.outputFiles?.[0]?.text ?? '';
// njs before 0.8 can't parse `export { x as default }`.
const rewritten = text.replace(/export \{\n {2}(\w+) as default\n\};\n$/, 'export default $1;\n');
if (rewritten === text) throw new Error('the bundle does not end in the export that NGINX can read');
rmSync(here('dist/edgeward.js'), { force: true });
await writeFile(here('dist/edgeward.js'), rewritten);
