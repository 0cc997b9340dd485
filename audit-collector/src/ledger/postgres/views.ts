/**
 * What dashboards and people read of a ledger in PostgreSQL: views in the schema `edgeward`. A column is never taken away,
 * renamed or given another meaning; new ones come last. Times are those of the point unless a name says otherwise, and
 * `count` is what adds up, not rows. U+0000, which PostgreSQL keeps in no text, stands there as U+2400.
 *
 * Names are joined to numbers from the left, each by its key, so that what nobody selects costs nothing.
 */
export const views = `
  CREATE SCHEMA edgeward;
  SET LOCAL search_path = edgeward_ledger;

  CREATE VIEW edgeward.denial_events AS
    SELECT id, time, stored_at, point, object, objects.labels AS object_labels,
      source, source_port, workload_lists.names AS source_workloads, network_lists.names AS source_networks,
      sources.labels AS source_labels, labels_revision, peer, port, method, path, host, verdict, reason, rule, revision,
      ref, count, window_start, window_end, nearest_rule, missed
    FROM events
      LEFT JOIN (SELECT id AS set_id, labels FROM label_sets) AS objects ON objects.set_id = object_set
      LEFT JOIN (SELECT id AS set_id, labels FROM label_sets) AS sources ON sources.set_id = source_set
      LEFT JOIN (SELECT id AS list_id, names FROM name_lists) AS workload_lists ON workload_lists.list_id = workloads
      LEFT JOIN (SELECT id AS list_id, names FROM name_lists) AS network_lists ON network_lists.list_id = networks;

  CREATE VIEW edgeward.denials_by_minute AS
    SELECT minute, point, object, nullif(rule, '') AS rule, reason, verdict, count FROM rollup_minutes;

  CREATE VIEW edgeward.denials_by_hour AS
    SELECT hour, sources.labels AS source_labels, sources.title AS source, objects.labels AS object_labels, object,
      nullif(rule, '') AS rule, reason, verdict, count
    FROM rollup_hours
      LEFT JOIN rollup_sets AS sources ON sources.id = source_set
      LEFT JOIN rollup_sets AS objects ON objects.id = object_set;

  CREATE VIEW edgeward.denial_edges AS
    SELECT sources.labels AS source_labels, sources.title AS source, object, port, count,
      first_at AS first_seen, last_at AS last_seen, first_revision
    FROM seen_edges LEFT JOIN rollup_sets AS sources ON sources.id = source_set;

  CREATE VIEW edgeward.denial_totals AS SELECT point, object, reason, verdict, count, last_at FROM totals;

  CREATE VIEW edgeward.enforced_totals AS SELECT point, object, reason, total AS count FROM enforced;

  CREATE VIEW edgeward.uncovered_denials AS SELECT point, cause, window_start, window_end, count FROM uncovered;

  CREATE VIEW edgeward.number_gaps AS SELECT point, epoch, first, last, seen_at FROM gaps;
`;
