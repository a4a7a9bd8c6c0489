/**
 * The same tables and columns as `schema.sql` (Postgres), in SQLite's words; a test holds the two together.
 * The mirror may be dropped at any time; the durable store never.
 */
export const MIRROR_VERSION = 5;
export const DURABLE_VERSION = 1;

/**
 * A row holds its note's bytes, so that touching one costs a page: the indexes of what is served (`live = 1`) carry the
 * columns that counting, visibility and comparing paths need, and are never left for the row.
 */
export const MIRROR_SCHEMA = `
CREATE TABLE state (
  origin TEXT PRIMARY KEY, commit_id TEXT, tree_id TEXT, generation INTEGER NOT NULL, confirmed_at_ms INTEGER,
  index_version INTEGER NOT NULL, incarnation TEXT NOT NULL DEFAULT (hex(randomblob(8)))
);
CREATE TABLE doubts (
  origin TEXT NOT NULL, save_id TEXT NOT NULL, deadline_ms INTEGER NOT NULL, PRIMARY KEY (origin, save_id)
);
CREATE TABLE leases (
  origin TEXT NOT NULL, name TEXT NOT NULL, holder TEXT NOT NULL, expires_at_ms INTEGER NOT NULL, ended_at_ms INTEGER,
  outcome TEXT, note TEXT NOT NULL, PRIMARY KEY (origin, name)
);
CREATE TABLE documents (
  -- Never given twice: segments name documents that are gone.
  doc INTEGER PRIMARY KEY AUTOINCREMENT, origin TEXT NOT NULL, path TEXT NOT NULL, blob TEXT NOT NULL, live INTEGER NOT NULL,
  id TEXT NOT NULL, kind TEXT NOT NULL, project TEXT NOT NULL, title TEXT NOT NULL, time_ms INTEGER NOT NULL,
  tags TEXT NOT NULL, digest TEXT NOT NULL, author TEXT NOT NULL, client TEXT NOT NULL, privacy TEXT NOT NULL,
  priority TEXT NOT NULL, status TEXT NOT NULL, parent TEXT NOT NULL, target_revenue REAL, current_revenue REAL,
  bytes INTEGER NOT NULL, reason TEXT, save_key TEXT NOT NULL,
  body_hash TEXT NOT NULL, indexed INTEGER NOT NULL,
  touched_day INTEGER NOT NULL DEFAULT (CAST(unixepoch() / 86400 AS INTEGER)), content BLOB,
  UNIQUE (origin, path, blob)
);
CREATE UNIQUE INDEX documents_live ON documents (origin, path) WHERE live = 1;
CREATE INDEX documents_id ON documents (origin, id, path) WHERE live = 1;
CREATE INDEX documents_time ON documents (origin, time_ms DESC, path DESC, privacy, author) WHERE live = 1;
CREATE INDEX documents_project ON documents (origin, project, time_ms DESC, path DESC, privacy, author) WHERE live = 1;
CREATE INDEX documents_blob ON documents (origin, blob, path) WHERE live = 1;
CREATE INDEX documents_same ON documents (origin, project, author, body_hash, time_ms) WHERE live = 1;
CREATE INDEX documents_key ON documents (origin, save_key) WHERE live = 1 AND save_key <> '';
CREATE INDEX documents_reason ON documents (origin, path) WHERE live = 1 AND reason IS NOT NULL;
CREATE INDEX documents_parent ON documents (origin, project, (kind = 'project') DESC, time_ms DESC, path DESC, parent, privacy, live)
  WHERE live = 1 AND parent <> '' AND privacy <> 'PRIVATE';
CREATE INDEX documents_records ON documents (origin, time_ms DESC, path DESC) WHERE live = 1 AND kind = 'project';
CREATE INDEX documents_staged ON documents (origin) WHERE live = 0;
CREATE INDEX documents_wordless ON documents (origin) WHERE live = 1 AND indexed = 0;
CREATE TABLE documents_search (
  doc INTEGER PRIMARY KEY, origin TEXT NOT NULL, outline TEXT NOT NULL, chunks BLOB NOT NULL, hash TEXT NOT NULL
);
CREATE INDEX documents_search_origin ON documents_search (origin);
CREATE TABLE documents_tail (
  doc INTEGER PRIMARY KEY, origin TEXT NOT NULL, page BLOB NOT NULL, hash TEXT NOT NULL
);
CREATE INDEX documents_tail_origin ON documents_tail (origin);
CREATE TABLE segments (
  segment INTEGER PRIMARY KEY AUTOINCREMENT, origin TEXT NOT NULL, docs TEXT NOT NULL, hash TEXT NOT NULL,
  vocabulary TEXT NOT NULL
);
CREATE INDEX segments_origin ON segments (origin);
CREATE TABLE postings (
  origin TEXT NOT NULL, page INTEGER NOT NULL, segment INTEGER NOT NULL, data BLOB NOT NULL,
  PRIMARY KEY (origin, page, segment)
);
CREATE INDEX postings_segment ON postings (origin, segment);
CREATE TABLE vectors (
  row INTEGER PRIMARY KEY AUTOINCREMENT, origin TEXT NOT NULL, model TEXT NOT NULL, chunk BLOB NOT NULL,
  vector BLOB NOT NULL, UNIQUE (origin, model, chunk)
);
CREATE INDEX vectors_row ON vectors (origin, model, row);
CREATE TABLE versions (
  origin TEXT NOT NULL, path TEXT NOT NULL, blob TEXT NOT NULL, until_commit TEXT NOT NULL, until_ms INTEGER NOT NULL,
  title TEXT NOT NULL, project TEXT NOT NULL, time_ms INTEGER NOT NULL, content BLOB,
  PRIMARY KEY (origin, path, blob, until_commit)
);
CREATE VIEW projects AS
  SELECT origin, project, title AS name, status, priority, target_revenue, current_revenue, parent, time_ms, path, live,
    privacy, author
  FROM documents WHERE live = 1 AND kind = 'project';
CREATE VIEW submodules AS
  SELECT p.origin, p.project, w.parent, w.time_ms FROM (
    SELECT DISTINCT origin, project FROM documents WHERE live = 1 AND parent <> '' AND privacy <> 'PRIVATE'
  ) AS p JOIN documents AS w ON w.doc = (
    SELECT n.doc FROM documents AS n
    WHERE n.origin = p.origin AND n.project = p.project AND n.live = 1 AND n.parent <> '' AND n.privacy <> 'PRIVATE'
    ORDER BY (n.kind = 'project') DESC, n.time_ms DESC, n.path DESC LIMIT 1
  ) WHERE w.parent <> p.project;
CREATE VIEW patterns AS
  SELECT origin, id, project, title AS name, CAST(json_extract(digest, '$.pattern.type') AS TEXT) AS type,
    CAST(json_extract(digest, '$.pattern.evidence') AS TEXT) AS evidence, time_ms, path, live, privacy, author
  FROM documents WHERE live = 1 AND kind = 'pattern';
CREATE VIEW checkpoints AS
  SELECT origin, id, project, title, CAST(json_extract(digest, '$.checkpoint.commit') AS TEXT) AS commit_id, time_ms, path,
    live, privacy, author
  FROM documents WHERE live = 1 AND kind = 'checkpoint';
`;

export const DURABLE_SCHEMA = `
CREATE TABLE outbox (
  entry INTEGER PRIMARY KEY AUTOINCREMENT, origin TEXT NOT NULL, save_id TEXT NOT NULL UNIQUE, path TEXT NOT NULL,
  content BLOB NOT NULL, expect TEXT, subject TEXT NOT NULL, client TEXT NOT NULL, queued_at_ms INTEGER NOT NULL,
  sent INTEGER NOT NULL, attempts INTEGER NOT NULL, last_error TEXT
);
CREATE INDEX outbox_origin ON outbox (origin, entry);
CREATE TABLE conflicts (
  conflict INTEGER PRIMARY KEY, origin TEXT NOT NULL, path TEXT NOT NULL, content BLOB NOT NULL, read_at_blob TEXT,
  current_blob TEXT, subject TEXT NOT NULL, found_at_ms INTEGER NOT NULL, resolved_at_ms INTEGER
);
CREATE TABLE audit (
  entry INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, origin TEXT NOT NULL, subject TEXT NOT NULL, client TEXT NOT NULL,
  action TEXT NOT NULL, target TEXT NOT NULL, reason TEXT
);
CREATE INDEX audit_at ON audit (origin, at_ms);
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
-- \`INSERT OR REPLACE\` takes a row's place without a DELETE that a trigger would see.
CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE entry = NEW.entry)
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TABLE sync_log (
  run INTEGER PRIMARY KEY, origin TEXT NOT NULL, started_at_ms INTEGER NOT NULL, finished_at_ms INTEGER NOT NULL,
  reason TEXT NOT NULL, result TEXT NOT NULL, commit_id TEXT, details TEXT NOT NULL
);
CREATE INDEX sync_log_at ON sync_log (origin, finished_at_ms);
CREATE TABLE use_counts (
  origin TEXT NOT NULL, id TEXT NOT NULL, uses INTEGER NOT NULL, last_used_ms INTEGER NOT NULL, PRIMARY KEY (origin, id)
);
CREATE TABLE context_loads (
  load INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, origin TEXT NOT NULL, subject TEXT NOT NULL, project TEXT NOT NULL,
  commit_id TEXT, tokens INTEGER NOT NULL
);
CREATE TABLE metrics (
  at_ms INTEGER NOT NULL, origin TEXT NOT NULL, name TEXT NOT NULL, labels TEXT NOT NULL, value REAL NOT NULL
);
CREATE INDEX metrics_at ON metrics (origin, name, at_ms);
`;
