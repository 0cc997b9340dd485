/** Every dashboard in both of its forms, as bytes. Equal sources give equal bytes: a test holds the committed files to that. */
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { denials } from './denials/dashboard.ts';
import { fleet } from './fleet/dashboard.ts';
import { importForm } from './import-form.ts';
import { pipeline } from './pipeline/dashboard.ts';

export interface DashboardFile {
  /** Below `grafana/dashboards`. */
  path: string;
  text: string;
}

export const dashboards = (): Record<string, Dashboard> => ({
  denials: denials(),
  fleet: fleet(),
  pipeline: pipeline(),
});

export function dashboardFiles(): DashboardFile[] {
  return Object.entries(dashboards()).flatMap(([name, model]) => [
    { path: `provisioned/${name}.json`, text: textOf(model) },
    { path: `import/${name}.json`, text: textOf(importForm(model)) },
  ]);
}

const textOf = (model: Dashboard): string => `${JSON.stringify(model, null, 2)}\n`;
