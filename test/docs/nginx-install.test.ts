/**
 * docs/nginx-install.md on Debian 13, command by command, in a container: from the packages to a policy that is enforced,
 * the upgrade of the files, and back to an NGINX of its own.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { docker, requireDocker, root } from '../compose/docker-here.ts';
import { blocksOf, page } from './markdown.ts';

const blocks = blocksOf(page('docs/nginx-install.md'));
const [install = '', ...commands] = textsOf('sh debian-13');
const [lines = ''] = textsOf('nginx server');
const [removal = ''] = textsOf('sh debian-13 removal');

await requireDocker(t);

t.test('the commands for Debian 13 lead from the packages to enforcement, over an upgrade, and back', async (t) => {
  const box = await startBox(t);
  for (const path of ['/etc/edgeward/edgeward.yaml', '/etc/edgeward/policies/shop.yaml'])
    await box.write(path, textsOf(`yaml ${path}`)[0] ?? '');
  const [prepare = '', include = '', status = '', check = '', upgrade = ''] = commands;
  t.equal(commands.length, 5, 'all of them are run here');
  await box.run('nginx');
  t.equal(await box.get('127.0.0.1'), '200', 'an NGINX of its own');

  await box.run(prepare);
  await box.reload(include);
  // Nothing starts services in a container.
  await box.start(
    'setpriv --reuid edgeward --regid edgeward --groups www-data edgeward serve --config /etc/edgeward/edgeward.yaml',
  );
  await box.until(`${status} | grep current`);
  t.equal(await box.get('127.0.0.9'), '200', 'nothing is protected yet');

  await box.run(
    `cat > /tmp/lines <<'E'\n${lines}\nE\nsed -i '/listen 80 default_server;/r /tmp/lines' /etc/nginx/sites-available/default`,
  );
  t.match(await box.reload(check), /0 errors|no errors/, 'check finds no way around');
  t.strictSame([await box.get('127.0.0.1'), await box.get('127.0.0.9')], ['200', '403'], 'enforced');

  await box.reload(upgrade);
  t.strictSame(
    [await box.get('127.0.0.1'), await box.get('127.0.0.9')],
    ['200', '403'],
    'after an upgrade of the files',
  );
  await box.until(`${status} | grep current`);
  t.match(await box.run('edgeward denials --config /etc/edgeward/edgeward.yaml'), /127\.0\.0\.9/, 'told');

  await box.reload(`sed -i '/edgeward/d' /etc/nginx/sites-available/default && ${removal}`);
  t.equal(await box.get('127.0.0.9'), '200', 'and back');
});

function textsOf(info: string): string[] {
  return blocks.flatMap((block) => (block.info === info ? [block.text.trim()] : []));
}

interface Box {
  /** As root; throws where it fails. What it said. */
  run(command: string): Promise<string>;
  /** `nginx -s reload` returns while the former workers still answer: this one, when those have gone. */
  reload(command: string): Promise<string>;
  start(command: string): Promise<void>;
  /** Tries for half a minute. */
  until(command: string): Promise<void>;
  write(path: string, text: string): Promise<void>;
  /** The status that a client at this address is answered. */
  get(from: string): Promise<string>;
}

/** With the packages of the page, and `edgeward` as it was built. It has no network but its loopback. */
async function startBox(t: Test): Promise<Box> {
  const image = await imageWith(install);
  const name = `edgeward-install-${process.pid}`;
  t.teardown(() => docker(['rm', '--force', name]).catch(() => ''));
  const shown = ['--volume', `${root}:/opt/edgeward:ro`];
  await docker([
    'run',
    '--detach',
    '--rm',
    '--init',
    '--network',
    'none',
    '--name',
    name,
    ...shown,
    image,
    'sleep',
    '600',
  ]);
  const run = (command: string): Promise<string> => docker(['exec', name, 'bash', '-euc', `{ ${command}\n} 2>&1`]);
  await run(`ln -s /opt/edgeward/node_modules/node-linux-*/bin/node /usr/local/bin/node
    ln -s /opt/edgeward/cli/bin/edgeward.js /usr/local/bin/edgeward`);
  const until: Box['until'] = async (command) =>
    void (await run(`for n in $(seq 60); do if ${command}; then exit 0; fi; sleep 0.5; done; exit 1`));
  return {
    run,
    until,
    reload: async (command) => {
      const former = await run("grep -ls '^nginx: worker' /proc/[0-9]*/cmdline");
      const said = await run(command);
      await until(`test -z "$(cat ${former.trim().replaceAll('\n', ' ')} 2> /dev/null)"`);
      return said;
    },
    start: async (command) => void (await docker(['exec', '--detach', name, 'bash', '-c', command])),
    write: async (path, text) => {
      await run(`mkdir -p ${dirname(path)} && cat > ${path} <<'END OF FILE'\n${text}\nEND OF FILE`);
    },
    get: async (from) => (await run(`node -e '${clientText(from)}'`)).trim(),
  };
}

const clientText = (localAddress: string): string =>
  `require("http").get({host:"127.0.0.1",localAddress:"${localAddress}"},(answer)=>{console.log(answer.statusCode);answer.resume()})`;

/** NGINX is started by the test: a package that is installed into an image starts nothing. */
async function imageWith(commands: string): Promise<string> {
  const file = `FROM debian:trixie-slim
RUN printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update && apt-get install --yes adduser && ${commands}
`;
  // The same recipe is the same image, which Docker keeps.
  const tag = `edgeward-install:${createHash('sha256').update(file).digest('hex').slice(0, 12)}`;
  const folder = await mkdtemp(join(tmpdir(), 'edgeward-install-'));
  try {
    await writeFile(join(folder, 'Dockerfile'), file);
    await docker(['build', '--quiet', '--force-rm', '--network', 'host', '--tag', tag, folder], 300_000);
    return tag;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
