/**
 * Puts the programs that tests start hundreds of times into few files: each start then reads ten of them in place of up to
 * fifteen hundred, and takes half the time. What is run is the source of this moment, and where it lies stays known to it, so
 * that it finds its assets. `npm test` makes them anew; test/kit/program.ts names them.
 */
import { readFile, rm } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const outdir = new URL('../node_modules/.cache/edgeward/programs/', import.meta.url);

const programs = [
  'cli/src/main.ts',
  'cli/src/agent/main.ts',
  'audit-collector/test/collector-child.ts',
  'audit-collector/test/ledger/ledger-child.ts',
  'audit-collector/test/listener-child.ts',
  'audit-collector/test/records-child.ts',
  'central-store/test/decisions/killed-at-write.ts',
  'central-store/test/decisions/killed-root.ts',
  'central-store/test/decisions/killed-store.ts',
  'central-store/test/decisions/record-writer.ts',
  'central-store/test/publishing-process.ts',
  'central-store/test/rollout-killed.ts',
  'deny-forwarder/test/forwarding-child.ts',
  'deny-spool/test/fixtures/writing-child.ts',
  'host-agent/test/agent/dying-take-over.ts',
  'host-agent/test/agent/service-process.ts',
  'host-agent/test/fixtures/counting-child.ts',
  'host-agent/test/fixtures/dying-apply.ts',
  'policy-cache/test/fixtures/writer.ts',
  'policy-feed/test/fixtures/following-child.ts',
  'test/system/forwarder-process.ts',
  'test/system/service-process.ts',
  'test/system/store-process.ts',
  'test/system/store-kills/store-process.ts',
];
const threads = [
  'audit-collector/src/ledger/sqlite/ledger-thread.ts',
  'central-store/src/proposals/recomputation-thread.ts',
  'nginx-njs/driver/native/snapshot-thread.ts',
];

/** Threads are beside their bundle; everything else is where its source is. */
const whereItIs: Plugin = {
  name: 'where-it-is',
  setup(on) {
    on.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      const name = relative(root, path);
      const startsThreads = text.includes('extname(import.meta.url)') || threads.includes(name);
      const url = startsThreads ? new URL(name.replace(/\.ts$/, '.mjs'), outdir) : pathToFileURL(path);
      const contents = text
        .replaceAll('import.meta.url', JSON.stringify(url.href))
        .replaceAll('import.meta.dirname', JSON.stringify(dirname(path)));
      return { loader: 'ts', contents };
    });
  },
};

/** A package that is loaded when it is needed: the names that it exports are lost in a bundle where it is CommonJS. */
const loadedLater: Plugin = {
  name: 'loaded-later',
  setup(on) {
    on.onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
      kind === 'dynamic-import' && !path.startsWith('@edgeward/') ? { path, external: true } : undefined,
    );
  },
};

await rm(outdir, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: [...programs, ...threads],
  outbase: root,
  outdir: fileURLToPath(outdir),
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  conditions: ['edgeward-source'],
  // What is CommonJS asks for Node's own modules by this name.
  banner: {
    js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);",
  },
  logLevel: 'warning',
  plugins: [whereItIs, loadedLater],
});
