import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, type OnLoadResult, type Plugin } from 'esbuild';

/**
 * njs makes every function at the top of a file anew for each request, whether it is called or not: 24 ns each, and 3.4 of
 * the 8.8 µs of a hook that said nothing but `pass` (150 functions, njs 0.8.9). So modules that few requests need are
 * bundled each into one function, whose inside is made when something of it is called. What two of them share, both have:
 * no module keeps anything between calls. They export functions, and nothing else.
 */
const RARE: readonly string[] = [
  'nginx-njs/src/changed-reader',
  'nginx-njs/src/deny-line',
  'nginx-njs/src/last-known',
  'nginx-njs/src/push',
  'nginx-njs/src/request-denial',
  'nginx-njs/src/request-details',
  'nginx-njs/src/request-flow',
  'nginx-njs/src/request-folds',
  'nginx-njs/src/request-proof',
  'nginx-njs/src/request-unknown',
  'nginx-njs/src/stream-push',
  'nginx-njs/src/stream-verdict',
  'policy/src/request',
  'policy/src/source-address',
];

type Common = BuildOptions & { write: false };

export function rareModules(common: Common, except: string | null = null): Plugin {
  const gone = RARE.find((name) => !existsSync(fileURLToPath(new URL(`../${name}.ts`, import.meta.url))));
  if (gone !== undefined) throw new Error(`there is no module ${gone} to be folded`);
  const isRare = new RegExp(`/(${RARE.join('|')})\\.ts$`);
  return {
    name: 'rare-modules',
    setup({ onLoad }) {
      onLoad({ filter: isRare }, ({ path }) => (path === except ? null : folded(common, path)));
    },
  };
}

async function folded(common: Common, path: string): Promise<OnLoadResult> {
  const built = await build({ ...common, entryPoints: [path], plugins: [rareModules(common, path), builtinsOutside] });
  const text = built.outputFiles?.[0]?.text ?? '';
  const [exported = '', list = ''] = /export \{\n([\s\S]*?)\n\};\n$/.exec(text) ?? [];
  const names = list.split(',').map((it): [own: string, name: string] => {
    const [own = '', name = own] = it.trim().split(' as ');
    return [own, name];
  });
  if (exported === '' || names.some(([own]) => own === ''))
    throw new Error(`${path} exports nothing that can be folded`);
  const members = names.map(([own, name]) => `${name}: ${own}`).join(', ');
  const made = `if (unfolded === undefined) unfolded = (function () {
${text.slice(0, -exported.length)}return { ${members} };
  })();`;
  const contents = `${imports(text)}var unfolded;\n${forwarding(
    basename(path, '.ts'),
    names.map(([, name]) => name),
    made,
  )}`;
  return { contents, loader: 'js' };
}

/** One function where one is exported; else all of them share what makes it. */
function forwarding(module: string, names: readonly string[], made: string): string {
  const unfold = `unfold_${module.replaceAll('-', '_')}`;
  const isShared = names.length > 1;
  const forwards = names.map((name) => {
    const first = isShared ? `${unfold}();` : made;
    return `export function ${name}() { ${first} return unfolded.${name}.apply(null, arguments); }\n`;
  });
  return `${isShared ? `function ${unfold}() { ${made} }\n` : ''}${forwards.join('')}`;
}

/** Modules of njs can be imported at the top of a file only, where the name given here leads to. */
const BUILTINS: readonly string[] = ['fs', 'crypto'];

const outside = (name: string): string => `njs_${name}`;

const imports = (text: string): string =>
  BUILTINS.filter((name) => text.includes(outside(name)))
    .map((name) => `import ${outside(name)} from '${name}';\n`)
    .join('');

const builtinsOutside: Plugin = {
  name: 'builtins-outside',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: new RegExp(`^(${BUILTINS.join('|')})$`) }, ({ path }) => ({ path, namespace: 'outside' }));
    onLoad({ filter: /./, namespace: 'outside' }, ({ path }) => ({ contents: `export default ${outside(path)};` }));
  },
};
