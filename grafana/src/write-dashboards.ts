/** `npm run dashboards`: writes grafana/dashboards anew. What is no dashboard any more is taken away. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dashboardFiles } from './dashboard-files.ts';

const folder = fileURLToPath(new URL('../dashboards/', import.meta.url));
const files = dashboardFiles();
rmSync(folder, { recursive: true, force: true });
for (const { path, text } of files) {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  process.stdout.write(`grafana/dashboards/${path}\n`);
}
