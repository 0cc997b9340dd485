import { rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { EdgewardError } from '@edgeward/runtime';
import { freePort } from '@edgeward/test/kit';
import t from 'tap';
import { startNginx, testConfig } from '../../driver/server/index.ts';
import { bothWorkers } from './both-workers.ts';
import { answers, body, nginxBinary, runs, started, writeConfig } from './real-nginx.ts';

const binary = await nginxBinary(t);

t.test('a started nginx answers, and after stop nothing of it is left', async (t) => {
  const prefix = t.testdir();
  const port = await freePort();
  const nginx = await started(t, {
    binary,
    port,
    prefix,
    configFile: await writeConfig(prefix, { binary, port, body: 'one' }),
  });
  t.equal(await body(port), 'one');
  const workers = await bothWorkers(nginx.pid);
  t.equal(workers.length, 2, 'two workers');
  await nginx.stop();
  await nginx.stop();
  t.match(await nginx.exited, { code: 0, signal: null });
  t.notOk(await answers(port), 'the port is free');
  for (const { pid } of workers) t.notOk(await runs(pid), `worker ${pid} is gone`);
});

t.test('stop ends an nginx whose client does not let go', async (t) => {
  const prefix = t.testdir();
  const port = await freePort();
  const extra = 'location /slow { limit_rate 1; return 200 "a long answer that takes its time"; }';
  const nginx = await started(t, {
    binary,
    port,
    prefix,
    configFile: await writeConfig(prefix, { binary, port, body: 'x', extra }),
  });
  const pending = fetch(`http://127.0.0.1:${port}/slow`).then((response) => response.text());
  const outcome = pending.then(
    () => 'whole',
    () => 'cut',
  );
  t.equal((await bothWorkers(nginx.pid)).length, 2);
  await nginx.stop();
  t.notOk(await answers(port));
  t.match(await outcome, /whole|cut/);
});

t.test('after a reload only the new configuration answers', async (t) => {
  const prefix = t.testdir();
  const port = await freePort();
  const configFile = await writeConfig(prefix, { binary, port, body: 'before' });
  const nginx = await started(t, { binary, port, prefix, configFile });
  for (let round = 0; round < 5; round++) {
    await writeConfig(prefix, { binary, port, body: `round-${round}` });
    await nginx.reload();
    const bodies = await Promise.all(Array.from({ length: 20 }, () => body(port)));
    t.strictSame([...new Set(bodies)], [`round-${round}`]);
  }
});

t.test('a reload with a broken configuration is refused and changes nothing', async (t) => {
  const prefix = t.testdir();
  const port = await freePort();
  const configFile = await writeConfig(prefix, { binary, port, body: 'kept' });
  const nginx = await started(t, { binary, port, prefix, configFile });
  await writeConfig(prefix, { binary, port, body: 'kept', extra: 'nonsense;' });
  await t.rejects(nginx.reload(), {
    code: 'EDW_ERR_NGINX_CONFIG',
    message: /unknown directive "nonsense".*nginx\.conf:\d+/,
  });
  t.equal(await body(port), 'kept');
});

t.test('a reload that passes nginx -t and still fails is an error', async (t) => {
  const prefix = t.testdir();
  const port = await freePort();
  const taken = createServer();
  const takenPort = await new Promise<number>((resolve) => {
    taken.listen(0, '127.0.0.1', () => resolve((taken.address() as { port: number }).port));
  });
  t.teardown(() => taken.close());
  const configFile = await writeConfig(prefix, { binary, port, body: 'kept' });
  const nginx = await startNginx({
    binary,
    prefix,
    configFile,
    listener: { host: '127.0.0.1', port },
    timeoutMs: 5_000,
  });
  t.teardown(() => nginx.kill());
  await writeConfig(prefix, { binary, port, body: 'new', extra: `listen 127.0.0.1:${takenPort};` });
  await t.rejects(nginx.reload(), {
    code: 'EDW_ERR_NGINX_RELOAD',
    message: new RegExp(`127\\.0\\.0\\.1:${takenPort}`),
  });
  t.equal(await body(port), 'kept');
});

t.test('kill leaves no worker, and a killed master alone leaves none either', async (t) => {
  for (const how of ['kill', 'master'] as const) {
    const prefix = t.testdir();
    const port = await freePort();
    const nginx = await started(t, {
      binary,
      port,
      prefix,
      configFile: await writeConfig(prefix, { binary, port, body: how }),
    });
    const workers = await bothWorkers(nginx.pid);
    if (how === 'kill') await nginx.kill();
    else process.kill(nginx.pid, 'SIGKILL');
    t.match(await nginx.exited, { code: null, signal: 'SIGKILL' }, how);
    for (const { pid } of workers) t.notOk(await runs(pid), `${how}: worker ${pid} is gone`);
    t.notOk(await answers(port), `${how}: the port is free`);
  }
});

t.test('what keeps nginx from starting is named, with its mend', async (t) => {
  const prefix = t.testdir();
  const taken = createServer();
  const port = await new Promise<number>((resolve) => {
    taken.listen(0, '127.0.0.1', () => resolve((taken.address() as { port: number }).port));
  });
  t.teardown(() => taken.close());
  const good = await writeConfig(join(prefix, 'good'), { binary, port, body: 'x' });
  const bad = await writeConfig(join(prefix, 'bad'), { binary, port, body: 'x', extra: 'nonsense;' });
  const cases = [
    {
      name: 'port in use',
      configFile: good,
      command: binary.command,
      message: /Address already in use/,
      mend: /ss -ltnp/,
    },
    {
      name: 'bad directive',
      configFile: bad,
      command: binary.command,
      message: /\[emerg\] unknown directive "nonsense"/,
      mend: /nginx -t/,
    },
    {
      name: 'no such file',
      configFile: join(prefix, 'none'),
      command: binary.command,
      message: /No such file/,
      mend: /nginx -t/,
    },
    { name: 'no such program', configFile: good, command: [join(prefix, 'none')], message: /ENOENT/, mend: /nginx -t/ },
  ];
  for (const { name, configFile, command, message, mend } of cases) {
    const start = startNginx({
      binary: { ...binary, command },
      prefix,
      configFile,
      listener: { host: '127.0.0.1', port },
    });
    const error = await start.then(
      () => null,
      (thrown) => thrown,
    );
    t.ok(error instanceof EdgewardError, name);
    t.match(error, { code: 'EDW_ERR_NGINX_START', message, mend }, name);
  }
});

t.test('an nginx that is not ready in time is ended', async (t) => {
  const prefix = t.testdir();
  const port = await freePort();
  const configFile = await writeConfig(prefix, { binary, port, body: 'x' });
  const listener = { host: '127.0.0.1', port: await freePort() };
  await t.rejects(startNginx({ binary, prefix, configFile, listener, timeoutMs: 1_000 }), {
    code: 'EDW_ERR_NGINX_START',
  });
  t.notOk(await answers(port));
});

t.test('testConfig accepts what nginx accepts and names what it refuses', async (t) => {
  const prefix = t.testdir();
  const configFile = await writeConfig(prefix, { binary, port: await freePort(), body: 'x' });
  await t.resolves(testConfig(binary, prefix, configFile));
  await writeFile(join(prefix, 'broken.js'), 'export default {');
  const extra = '} js_import broken from broken.js; server { listen unix:s;';
  await writeConfig(prefix, { binary, port: await freePort(), body: 'x', extra });
  await t.rejects(testConfig(binary, prefix, configFile), { code: 'EDW_ERR_NGINX_CONFIG', message: /SyntaxError/ });
  await rm(configFile);
  await t.rejects(testConfig(binary, prefix, configFile), { code: 'EDW_ERR_NGINX_CONFIG', message: /No such file/ });
});
