/** What is claimed of the archive for systems without dpkg: its own page is done, word for word, as far as a container without systemd goes. */
import type { Test } from 'tap';
import type { Container } from './containers.ts';
import { ARCHIVE } from './packages.ts';

const UNPACKED = '/tmp/edgeward-agent-1.0.0';
/** These speak to a systemd that runs: on a host that boots they are those of the package. */
const NEEDS_SYSTEMD = /^systemctl (?:daemon-reload|restart|start)\b/;
const LISTED = /^([-d])([rwx-]{9}) 0\/0 +\d+ \S+ \S+ (edgeward-agent-1\.0\.0\/.*)$/;

export async function archiveClaims(t: Test, container: Container): Promise<void> {
  const listed = (await container.run(`tar --numeric-owner -tvzf /packages/${ARCHIVE}`)).trim().split('\n');
  t.ok(listed.length > 10);
  // Of root, below one folder, nothing but files and folders, and nobody else may write any of them.
  const odd = listed.filter((line) => {
    const [, , mode = ''] = LISTED.exec(line) ?? [];
    return !/^rw[x-]r-[x-]r-[x-]$/.test(mode) || line.includes('/../');
  });
  t.strictSame(odd, [], 'what is in it is for everybody to read, and for root alone to write');

  await container.run(`tar -C /tmp -xzf /packages/${ARCHIVE}`);
  const page = await container.run(`cat ${UNPACKED}/INSTALL`);
  const commands = page.split('\n').flatMap((line) => /^ {2}(\S.*)$/.exec(line)?.[1] ?? []);
  const enrolling = commands.indexOf('edgeward agent enrol INVITE');
  t.ok(enrolling > 0 && commands.length > enrolling, 'its page says what to do up to enrolment, and after it');
  for (const command of commands.slice(0, enrolling))
    if (!NEEDS_SYSTEMD.test(command))
      t.strictSame(await container.run(`cd ${UNPACKED} && ${command}`).then(() => 0, String), 0, command);

  t.match(await container.run('edgeward --version'), /^edgeward 1\.0\.0$/m);
  t.match(await container.run('edgeward agent status || echo "exit $?"'), /exit 3$/m, 'it does not run yet');
  t.match(
    await container.run(`${commands[enrolling]} || echo "exit $?"`),
    'EDW_ERR_HOST_INVITE',
    'and waits for an invite',
  );
  t.match(await container.run('edgeward agent restore'), 'No policy is known on this host');
  for (const unit of ['edgeward-agent', 'edgeward-agent-restore'])
    t.match(await container.run(`systemctl is-enabled ${unit}.service`), 'enabled', unit);
  t.match(await container.run('stat -c "%a %U" /var/lib/edgeward-agent'), '700 edgeward-agent');
  const installed = `cd ${UNPACKED} && find usr etc -type f -printf '/%p\\n'`;
  const open = await container.run(`${installed} | xargs -I{} find {} ! -user root -o ! -group root -o -perm /022`);
  t.equal(open, '', 'what is installed is of root, and nobody else may write it');
  t.match(await container.run(`${installed} | wc -l`), /^(?:[89]|\d\d+)$/m);
}
