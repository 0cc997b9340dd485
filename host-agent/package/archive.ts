/** The same tree for systems without dpkg, with a page that says what to do with it. */
import { chmod, cp, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { run } from './program-run.ts';
import { PACKAGE_NAME } from './tree.ts';

const PAGE = `The host agent of Edgeward, for systems without dpkg. It needs systemd, glibc 2.28 or newer, iptables, ipset, nft, conntrack
and, for denials by their source, ulogd2 with its JSON output. As root, in this folder:

  cp -R usr etc /
  systemd-sysusers edgeward-agent.conf
  systemd-tmpfiles --create edgeward-agent.conf
  systemctl daemon-reload
  systemctl restart systemd-modules-load.service
  systemctl enable edgeward-agent-restore.service edgeward-agent.service
  edgeward agent enrol INVITE
  systemctl start edgeward-agent.service

To upgrade: cp -R --remove-destination usr /, then systemctl daemon-reload and systemctl restart edgeward-agent.service. Rules stay in force.
To remove: edgeward agent remove --config /etc/edgeward/agent.yaml takes the rules away; nothing else does. Everything else is
what this folder holds and /var/lib/edgeward-agent. usr/share/doc/edgeward-agent/host.md says more.
`;

export async function makeArchive(request: {
  tree: string;
  version: string;
  workDir: string;
  outFile: string;
}): Promise<void> {
  const folder = join(request.workDir, `${PACKAGE_NAME}-${request.version}`);
  await cp(request.tree, folder, { recursive: true });
  await writeFile(join(folder, 'INSTALL'), PAGE);
  await chmod(join(folder, 'INSTALL'), 0o644);
  const owners = ['--owner=0', '--group=0', '--numeric-owner', '--sort=name'];
  await run('tar', ['-C', dirname(folder), ...owners, '-czf', request.outFile, basename(folder)]);
}
