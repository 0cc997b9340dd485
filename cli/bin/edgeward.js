#!/usr/bin/env node
// biome-ignore-all lint/style/useNodejsImportProtocol: Node 12 knows no names with `node:`.
/*
 * Starts the program in ../dist with a Node that can run it. This file alone is written for old ones (Node 12): where the
 * Node that runs it is too old, it looks for the one that `npm ci` has put beside this installation and hands over to it,
 * with everything that a caller can notice: arguments, streams, signals, exit code. Nothing else belongs here.
 */
'use strict';

const childProcess = require('child_process');
const fs = require('fs');
const path = require('path');
const url = require('url');

const needed = [22, 22];
const unavailable = 69;
const program = path.join(__dirname, '..', 'dist', 'main.js');

function isNewEnough(version) {
  const parts = version.split('.').map(Number);
  return parts[0] > needed[0] || (parts[0] === needed[0] && parts[1] >= needed[1]);
}

/** In this folder's node_modules, or that of one above it, as Node itself would look. */
function findPinnedNode() {
  const name = path.join('node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');
  let folder = __dirname;
  for (;;) {
    const candidate = path.join(folder, name);
    if (fs.existsSync(candidate) && fs.realpathSync(candidate) !== fs.realpathSync(process.execPath)) return candidate;
    const parent = path.dirname(folder);
    if (parent === folder) return null;
    folder = parent;
  }
}

function fail(code, message, mend) {
  if (process.argv.indexOf('--json') >= 0) {
    process.stdout.write(`${JSON.stringify({ error: { code: code, message: message, mend: mend } })}\n`);
  } else {
    process.stderr.write(`error ${code}: ${message}\n  ${mend}\n`);
  }
  process.exitCode = unavailable;
}

/** A signal ends the child in its own order; this process ends after it, in the same way. */
function handOver(node) {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  const args = process.execArgv.concat([__filename], process.argv.slice(2));
  const child = childProcess.spawn(node, args, { stdio: 'inherit' });
  signals.forEach((signal) => {
    process.on(signal, () => {
      child.kill(signal);
    });
  });
  child.on('error', (error) => {
    fail('EDW_ERR_NODE', `starting ${node}: ${error.message}`, 'Run `npm ci` again, or use Node 22.22 or newer.');
  });
  child.on('exit', (code, signal) => {
    signals.forEach((name) => {
      process.removeAllListeners(name);
    });
    if (signal === null) process.exit(code);
    process.kill(process.pid, signal);
  });
}

function start() {
  if (!isNewEnough(process.versions.node)) {
    const pinned = findPinnedNode();
    if (pinned !== null) return handOver(pinned);
    const message = `this is Node ${process.versions.node}, and Edgeward needs ${needed.join('.')} or newer`;
    return fail(
      'EDW_ERR_NODE',
      message,
      'Run `npm ci` in its folder, which brings one along, or install a newer Node.',
    );
  }
  if (!fs.existsSync(program)) {
    return fail('EDW_ERR_NOT_BUILT', `there is no ${program}`, 'Run `npm run build` in its folder.');
  }
  return import(url.pathToFileURL(program).href);
}

start();
