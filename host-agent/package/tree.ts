/** What is installed, as files below one folder. The package and the archive hold the same. */
import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const PACKAGE_NAME = 'edgeward-agent';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const documentation = `usr/share/doc/${PACKAGE_NAME}`;

/** A file of ours, and where it goes. */
const FILES: Record<string, string> = {
  'files/edgeward-agent.service': 'usr/lib/systemd/system/edgeward-agent.service',
  'files/edgeward-agent-restore.service': 'usr/lib/systemd/system/edgeward-agent-restore.service',
  'files/sysusers.conf': `usr/lib/sysusers.d/${PACKAGE_NAME}.conf`,
  'files/tmpfiles.conf': `usr/lib/tmpfiles.d/${PACKAGE_NAME}.conf`,
  'files/modules-load.conf': `usr/lib/modules-load.d/${PACKAGE_NAME}.conf`,
  'files/agent.yaml': 'etc/edgeward/agent.yaml',
  'files/legacy-backend.conf': `${documentation}/examples/legacy-backend.conf`,
  '../../docs/host.md': `${documentation}/host.md`,
  '../../LICENSE': `${documentation}/copyright`,
};

/** Files that the person who runs the host may change. */
export const CONFIGURATION: readonly string[] = ['/etc/edgeward/agent.yaml'];

export async function layTree(request: { executable: string; licences: string; folder: string }): Promise<void> {
  const { executable, licences, folder } = request;
  await place(executable, join(folder, 'usr/bin/edgeward'), 0o755);
  for (const [from, to] of Object.entries(FILES)) await place(here(from), join(folder, to), 0o644);
  const texts = join(folder, documentation, 'third-party-licences.txt');
  await writeFile(texts, licences);
  await chmod(texts, 0o644);
}

async function place(from: string, to: string, mode: number): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await copyFile(from, to);
  await chmod(to, mode);
}
