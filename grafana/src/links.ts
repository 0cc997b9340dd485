/**
 * Where a click leads. Links carry the names of the row that was clicked, encoded, and never an address of a server: they
 * lead to other dashboards of this folder, by their uid.
 */
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import { type DashboardLink, DashboardLinkBuilder, DashboardLinkType } from '@grafana/grafana-foundation-sdk/dashboard';
import { loki, postgres, prometheus } from './data-sources.ts';

/** Addresses of the dashboards. Kept for ever: people keep links to them. */
export const uids = { denials: 'edgeward-denials', fleet: 'edgeward-fleet', pipeline: 'edgeward-pipeline' } as const;

const field = (name: string): string => `\${__data.fields.${name}:percentencode}`;
const sameSources = [prometheus, postgres, loki].map(({ variable }) => `\${${variable}:queryparam}`).join('&');

export interface Link {
  title: string;
  url: string;
}

/** The point of the row, on the dashboard of points. */
export const toPoint: Link = {
  title: 'This point: revision, age, drift',
  url: `/d/${uids.fleet}?var-point=${field('point')}&\${prometheus_datasource:queryparam}&\${__url_time_range}`,
};

/** Denials of the row's object alone. */
export const toObject: Link = {
  title: 'Denials of this object',
  url: `/d/${uids.denials}?var-object=${field('object')}&\${verdict:queryparam}&${sameSources}&\${__url_time_range}`,
};

/** Denials of the row's address alone. */
export const toSource: Link = {
  title: 'Denials of this source',
  url: `/d/${uids.denials}?var-source=${field('source')}&\${verdict:queryparam}&${sameSources}&\${__url_time_range}`,
};

/** The same source and object, five minutes before and after. The row has the two times as text. */
export const aroundIt: Link = {
  title: 'Five minutes before and after, same source and object',
  url: `/d/${uids.denials}?from=${field('from_ms')}&to=${field('to_ms')}&var-source=${field('source')}&var-object=${field('object')}&\${verdict:queryparam}&${sameSources}`,
};

/** The one denial that a client was shown this reference of. */
export const toReference: Link = {
  title: 'This denial alone, by its reference',
  url: `/d/${uids.denials}?var-ref=${field('ref')}&${sameSources}&\${__url_time_range}`,
};

export const built = ({ title, url }: Link): Builder<DashboardLink> =>
  new DashboardLinkBuilder(title).type(DashboardLinkType.Link).url(url).targetBlank(false);

/** From each dashboard to the others, with what is chosen. */
export const toOthers = (): Builder<DashboardLink> =>
  new DashboardLinkBuilder('Edgeward')
    .type(DashboardLinkType.Dashboards)
    .tags(['edgeward'])
    .includeVars(true)
    .keepTime(true);
