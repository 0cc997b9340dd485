/**
 * Loaded first in each process and thread of a test (.taprc). tap's recorder would watch every module that is loaded, read
 * source maps, and hand itself on to each process that a test starts: that takes longer than most tests, and serves
 * coverage, which is off. Here its import becomes an empty module, and what follows each promise a list (uncaught.mjs).
 * Nothing else of tap changes.
 */
'use strict';
const { registerHooks } = require('node:module');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');

const RECORDER = /[\\/]@tapjs[\\/]processinfo[\\/]dist[\\/]esm[\\/]import\.mjs"?$/;
const recorded = (argument) => RECORDER.test(argument) || argument === '--enable-source-maps';
const unrecorded = (argument) => !recorded(argument) && argument !== '--require=./scripts/unrecorded.cjs';

// What a process of a test takes over: a fork the arguments, and whatever inherits the environment its options.
process.execArgv = process.execArgv.filter(unrecorded);
const options = (process.env.NODE_OPTIONS ?? '').split(' ').filter(unrecorded).join(' ');
if (options === '') delete process.env.NODE_OPTIONS;
else process.env.NODE_OPTIONS = options;

// Types are stripped in place, so that lines and columns are those of the source without a map.
process.setSourceMapsEnabled(false);

const asModule = (url) => ({ url, format: 'module', shortCircuit: true });
const uncaught = pathToFileURL(join(__dirname, 'uncaught.mjs')).href;

registerHooks({
  resolve(specifier, context, next) {
    if (RECORDER.test(specifier)) return asModule('data:text/javascript,');
    return specifier === 'async-hook-domain' ? asModule(uncaught) : next(specifier, context);
  },
});
