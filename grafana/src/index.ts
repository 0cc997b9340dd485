/** The dashboards of Edgeward for Grafana, as code. Nothing imports them: what is used are the files that they are written to. */
export { type DashboardFile, dashboardFiles, dashboards } from './dashboard-files.ts';
