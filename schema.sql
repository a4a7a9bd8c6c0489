-- The whole Postgres schema of strata-memory (Postgres 15 or newer; no superuser, no extension needed).
--
--   psql "$DATABASE_URL" --single-transaction --set ON_ERROR_STOP=1 --file schema.sql
--
-- May be applied again at any time: what is there already is left as it is. The tables and columns are those of
-- src/tiers/schema-sqlite.ts; test/tiers/schema.test.ts holds the two together. Times are ms since 1970 by the
-- database's clock, object ids are git's, in hex. Every row names its origin, so that many origins share one database.
--
-- Text that is compared or sorted has the "C" collation, so that Postgres and SQLite put it in the same order.

-- Two instances that start together apply this file one after the other.
DO $$ BEGIN PERFORM pg_advisory_xact_lock(hashtext('strata-memory schema')); END $$;

CREATE SCHEMA IF NOT EXISTS strata_mirror;
CREATE SCHEMA IF NOT EXISTS strata_durable;

-- The version is the number at the end of each schema's comment. An older file never goes over a newer database.
DO $$
DECLARE
  half record;
BEGIN
  FOR half IN
    SELECT nspname, substring(obj_description(oid, 'pg_namespace') FROM 'version ([0-9]+)$')::int AS version
    FROM pg_namespace WHERE nspname IN ('strata_mirror', 'strata_durable')
  LOOP
    IF half.version > (CASE half.nspname WHEN 'strata_mirror' THEN 5 ELSE 1 END) THEN
      RAISE EXCEPTION 'schema % was written by a newer strata-memory (version %) than this file', half.nspname, half.version
        USING HINT = 'Update strata-memory, or give it another database.';
    END IF;
  END LOOP;
END
$$;

-- ---------------------------------------------------------------------------------------------------------------------
-- The mirror: derived from the origin, and may be dropped (DROP SCHEMA strata_mirror CASCADE) and rebuilt at any time.
-- ---------------------------------------------------------------------------------------------------------------------

-- Where each origin's mirror stands: one row per origin. The generation only grows; a step applies by compare-and-swap on it.
CREATE TABLE IF NOT EXISTS strata_mirror.state (
  origin text COLLATE "C" PRIMARY KEY,
  commit_id text COLLATE "C",
  tree_id text COLLATE "C",
  generation bigint NOT NULL,
  confirmed_at_ms bigint,
  index_version integer NOT NULL,
  -- Another one in a mirror that was dropped and made again: numbers of documents begin anew there.
  incarnation text COLLATE "C" NOT NULL DEFAULT md5(CAST(random() AS text) || CAST(clock_timestamp() AS text))
);

-- Saves in flight, or of writers that died: while a row is here the head of its origin is unconfirmed.
CREATE TABLE IF NOT EXISTS strata_mirror.doubts (
  origin text COLLATE "C" NOT NULL,
  save_id text COLLATE "C" NOT NULL,
  deadline_ms bigint NOT NULL,
  PRIMARY KEY (origin, save_id)
);

-- Who does which job now, and how it ended when it was last done by anybody. A holder that dies loses it when it expires.
CREATE TABLE IF NOT EXISTS strata_mirror.leases (
  origin text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  holder text COLLATE "C" NOT NULL,
  expires_at_ms bigint NOT NULL,
  ended_at_ms bigint,
  outcome text COLLATE "C",
  note text NOT NULL,
  PRIMARY KEY (origin, name)
);

-- Every document of the origin: live = 1 is what is served, live = 0 is staged by a sync that has not been applied yet.
CREATE TABLE IF NOT EXISTS strata_mirror.documents (
  doc bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  origin text COLLATE "C" NOT NULL,
  path text COLLATE "C" NOT NULL,
  blob text COLLATE "C" NOT NULL,
  live integer NOT NULL,
  id text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  project text COLLATE "C" NOT NULL,
  title text NOT NULL,
  time_ms bigint NOT NULL,
  tags text COLLATE "C" NOT NULL,
  digest jsonb NOT NULL,
  author text COLLATE "C" NOT NULL,
  client text NOT NULL,
  privacy text COLLATE "C" NOT NULL,
  priority text COLLATE "C" NOT NULL,
  status text COLLATE "C" NOT NULL,
  parent text COLLATE "C" NOT NULL,
  target_revenue double precision,
  current_revenue double precision,
  bytes bigint NOT NULL,
  reason text,
  save_key text COLLATE "C" NOT NULL,
  body_hash text COLLATE "C" NOT NULL,
  indexed integer NOT NULL,
  -- When it was last written or read, in days since 1970: what nobody touches leaves its content at the origin.
  touched_day integer NOT NULL DEFAULT CAST(floor(extract(epoch FROM clock_timestamp()) / 86400) AS integer),
  content bytea,
  UNIQUE (origin, path, blob)
);
CREATE UNIQUE INDEX IF NOT EXISTS documents_live ON strata_mirror.documents (origin, path) WHERE live = 1;
CREATE INDEX IF NOT EXISTS documents_id ON strata_mirror.documents (origin, id, path) WHERE live = 1;
CREATE INDEX IF NOT EXISTS documents_time ON strata_mirror.documents (origin, time_ms DESC, path DESC, privacy, author) WHERE live = 1;
CREATE INDEX IF NOT EXISTS documents_project ON strata_mirror.documents (origin, project, time_ms DESC, path DESC, privacy, author) WHERE live = 1;
CREATE INDEX IF NOT EXISTS documents_blob ON strata_mirror.documents (origin, blob, path) WHERE live = 1;
CREATE INDEX IF NOT EXISTS documents_same ON strata_mirror.documents (origin, project, author, body_hash, time_ms) WHERE live = 1;
CREATE INDEX IF NOT EXISTS documents_key ON strata_mirror.documents (origin, save_key) WHERE live = 1 AND save_key <> '';
CREATE INDEX IF NOT EXISTS documents_reason ON strata_mirror.documents (origin, path) WHERE live = 1 AND reason IS NOT NULL;
CREATE INDEX IF NOT EXISTS documents_parent ON strata_mirror.documents (origin, project, (kind = 'project') DESC, time_ms DESC, path DESC, parent, privacy, live)
  WHERE live = 1 AND parent <> '' AND privacy <> 'PRIVATE';
CREATE INDEX IF NOT EXISTS documents_records ON strata_mirror.documents (origin, time_ms DESC, path DESC) WHERE live = 1 AND kind = 'project';
CREATE INDEX IF NOT EXISTS documents_staged ON strata_mirror.documents (origin) WHERE live = 0;
CREATE INDEX IF NOT EXISTS documents_wordless ON strata_mirror.documents (origin) WHERE live = 1 AND indexed = 0;

-- What ranking knows of each document: its length and speakers, and the names of its passages (16 bytes each). Here and
-- below `hash` is a SHA-256 over the rest of the row: what does not match is not believed.
CREATE TABLE IF NOT EXISTS strata_mirror.documents_search (
  doc bigint PRIMARY KEY REFERENCES strata_mirror.documents (doc) ON DELETE CASCADE,
  origin text COLLATE "C" NOT NULL,
  outline text COLLATE "C" NOT NULL,
  chunks bytea NOT NULL,
  hash text COLLATE "C" NOT NULL
);
CREATE INDEX IF NOT EXISTS documents_search_origin ON strata_mirror.documents_search (origin);

-- Documents that are in no segment yet, each with its own page of terms. Pages are made by our own analyser and read by our
-- own ranking, so that both mirrors rank alike (src/search/postings.ts has the format).
CREATE TABLE IF NOT EXISTS strata_mirror.documents_tail (
  doc bigint PRIMARY KEY REFERENCES strata_mirror.documents (doc) ON DELETE CASCADE,
  origin text COLLATE "C" NOT NULL,
  page bytea NOT NULL,
  hash text COLLATE "C" NOT NULL
);
CREATE INDEX IF NOT EXISTS documents_tail_origin ON strata_mirror.documents_tail (origin);

-- Many documents' terms together, which never change: the numbers of the documents, every term, and a SHA-256
-- over these and the pages.
CREATE TABLE IF NOT EXISTS strata_mirror.segments (
  segment bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  origin text COLLATE "C" NOT NULL,
  docs text COLLATE "C" NOT NULL,
  hash text COLLATE "C" NOT NULL,
  vocabulary text COLLATE "C" NOT NULL
);
CREATE INDEX IF NOT EXISTS segments_origin ON strata_mirror.segments (origin);

-- The pages of segments: where the terms stand whose hash is the page's number.
CREATE TABLE IF NOT EXISTS strata_mirror.postings (
  origin text COLLATE "C" NOT NULL,
  page integer NOT NULL,
  segment bigint NOT NULL,
  data bytea NOT NULL,
  PRIMARY KEY (origin, page, segment)
);
CREATE INDEX IF NOT EXISTS postings_segment ON strata_mirror.postings (origin, segment);

-- What passages mean to a language model: by the hash of the passage's text, so that it is worked out once wherever that
-- stands. A vector is a scale and a signed byte for each dimension (src/search/matrix.ts), sealed by four bytes. Rows are numbered in the order
-- of commits within an origin, and never given twice: who has read up to one asks for those above it.
CREATE TABLE IF NOT EXISTS strata_mirror.vectors (
  row bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  origin text COLLATE "C" NOT NULL,
  model text COLLATE "C" NOT NULL,
  chunk bytea NOT NULL,
  vector bytea NOT NULL,
  UNIQUE (origin, model, chunk)
);
CREATE INDEX IF NOT EXISTS vectors_row ON strata_mirror.vectors (origin, model, row);

-- Where the database has pgvector (CREATE EXTENSION vector; 0.7 or newer) it can compare by itself. `pgvector` is made of the
-- bytes above: whole numbers, which halves hold exactly; NULL where they do not fit their seal. `products` compares them with
-- a query, whose elements come as coarse + fine / 4096 for the same reason. What cannot be made is left out: the program then
-- compares by itself. An extension that came later is found when this file is applied again (0.2 ms for each vector).
DO $$
DECLARE
  home text;
BEGIN
  SELECT quote_ident(n.nspname) INTO home
  FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector';
  IF home IS NULL OR EXISTS (
    SELECT FROM pg_attribute
    WHERE attrelid = 'strata_mirror.vectors'::regclass AND attname = 'pgvector' AND NOT attisdropped
  ) THEN
    RETURN;
  END IF;
  EXECUTE format($make$
    CREATE OR REPLACE FUNCTION strata_mirror.numbers_of(name bytea, sealed bytea) RETURNS integer[]
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $numbers$
    DECLARE
      ends integer := length(sealed) - 4;
      text bytea;
      hash bigint := 2166136261;
    BEGIN
      IF ends < 5 THEN RETURN NULL; END IF;
      text := name || substr(sealed, 1, ends);
      FOR i IN 0 .. length(text) - 1 LOOP
        hash := ((hash # get_byte(text, i)) * 16777619) & 4294967295;
      END LOOP;
      FOR i IN 0 .. 3 LOOP
        IF get_byte(sealed, ends + i) <> ((hash >> (8 * i)) & 255) THEN RETURN NULL; END IF;
      END LOOP;
      RETURN (SELECT array_agg((get_byte(sealed, i) + 128) %% 256 - 128 ORDER BY i) FROM generate_series(4, ends - 1) AS i);
    END
    $numbers$;

    ALTER TABLE strata_mirror.vectors
      ADD COLUMN pgvector %1$s.halfvec GENERATED ALWAYS AS (CAST(strata_mirror.numbers_of(chunk, vector) AS %1$s.halfvec)) STORED;

    CREATE FUNCTION strata_mirror.products(
      of_origin text, of_model text, coarse %1$s.halfvec, fine %1$s.halfvec, OUT last bigint, OUT names bytea, OUT products bytea
    ) LANGUAGE sql STABLE
    BEGIN ATOMIC
      SELECT max(v.row), string_agg(v.chunk, '') FILTER (WHERE v.pgvector IS NOT NULL),
        string_agg(substr(v.vector, 1, 4) ||
          float4send(CAST((v.pgvector OPERATOR(%1$s.<#>) coarse) + (v.pgvector OPERATOR(%1$s.<#>) fine) / 4096 AS real)), '')
      FROM strata_mirror.vectors v WHERE v.origin = of_origin AND v.model = of_model;
    END;
  $make$, home);
EXCEPTION
  WHEN query_canceled OR others THEN RAISE NOTICE 'pgvector is not used: %', SQLERRM;
END
$$;

-- Superseded documents with their bytes, for reading the memory as of an earlier time.
CREATE TABLE IF NOT EXISTS strata_mirror.versions (
  origin text COLLATE "C" NOT NULL,
  path text COLLATE "C" NOT NULL,
  blob text COLLATE "C" NOT NULL,
  until_commit text COLLATE "C" NOT NULL,
  until_ms bigint NOT NULL,
  title text NOT NULL,
  project text COLLATE "C" NOT NULL,
  time_ms bigint NOT NULL,
  content bytea,
  PRIMARY KEY (origin, path, blob, until_commit)
);

-- Project records: name, status, priority, revenue and parent as their Markdown files say.
CREATE OR REPLACE VIEW strata_mirror.projects AS
  SELECT origin, project, title AS name, status, priority, target_revenue, current_revenue, parent, time_ms, path, live,
    privacy, author
  FROM strata_mirror.documents WHERE live = 1 AND kind = 'project';

-- The registry of submodules: which project is one of which, and when that was last said. Every note that is saved in a
-- submodule says it; the project's record has the last word, otherwise the newest note. Who names itself is of none.
CREATE OR REPLACE VIEW strata_mirror.submodules AS
  SELECT p.origin, p.project, w.parent, w.time_ms FROM (
    SELECT DISTINCT origin, project FROM strata_mirror.documents WHERE live = 1 AND parent <> '' AND privacy <> 'PRIVATE'
  ) AS p JOIN strata_mirror.documents AS w ON w.doc = (
    SELECT n.doc FROM strata_mirror.documents AS n
    WHERE n.origin = p.origin AND n.project = p.project AND n.live = 1 AND n.parent <> '' AND n.privacy <> 'PRIVATE'
    ORDER BY (n.kind = 'project') DESC, n.time_ms DESC, n.path DESC LIMIT 1
  ) WHERE w.parent <> p.project;

-- Reusable lessons: of what type each is, and the ids of the notes that it was drawn from, as a JSON list.
CREATE OR REPLACE VIEW strata_mirror.patterns AS
  SELECT origin, id, project, title AS name, digest #>> '{pattern,type}' AS type,
    digest #>> '{pattern,evidence}' AS evidence, time_ms, path, live, privacy, author
  FROM strata_mirror.documents WHERE live = 1 AND kind = 'pattern';

-- Immutable snapshots of where the work stood, and the commit that each was made on.
CREATE OR REPLACE VIEW strata_mirror.checkpoints AS
  SELECT origin, id, project, title, digest #>> '{checkpoint,commit}' AS commit_id, time_ms, path, live, privacy,
    author
  FROM strata_mirror.documents WHERE live = 1 AND kind = 'checkpoint';

-- ---------------------------------------------------------------------------------------------------------------------
-- The durable store: what exists nowhere else. Migrated forward, never dropped by a rebuild.
-- ---------------------------------------------------------------------------------------------------------------------

-- Saves that wait for the origin to come back; delivered in the order of `entry`, each exactly once.
CREATE TABLE IF NOT EXISTS strata_durable.outbox (
  entry bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  origin text COLLATE "C" NOT NULL,
  save_id text COLLATE "C" NOT NULL UNIQUE,
  path text COLLATE "C" NOT NULL,
  content bytea NOT NULL,
  expect text COLLATE "C",
  subject text COLLATE "C" NOT NULL,
  client text NOT NULL,
  queued_at_ms bigint NOT NULL,
  sent integer NOT NULL,
  attempts integer NOT NULL,
  last_error text
);
CREATE INDEX IF NOT EXISTS outbox_origin ON strata_durable.outbox (origin, entry);

-- Queued edits that met a newer origin and lost; kept until a person has resolved them.
CREATE TABLE IF NOT EXISTS strata_durable.conflicts (
  conflict bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  origin text COLLATE "C" NOT NULL,
  path text COLLATE "C" NOT NULL,
  content bytea NOT NULL,
  read_at_blob text COLLATE "C",
  current_blob text COLLATE "C",
  subject text COLLATE "C" NOT NULL,
  found_at_ms bigint NOT NULL,
  resolved_at_ms bigint
);

-- Who did what, when, with what and why. Append-only: see the trigger below.
CREATE TABLE IF NOT EXISTS strata_durable.audit (
  entry bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at_ms bigint NOT NULL,
  origin text COLLATE "C" NOT NULL,
  subject text COLLATE "C" NOT NULL,
  client text NOT NULL,
  action text COLLATE "C" NOT NULL,
  target text COLLATE "C" NOT NULL,
  reason text
);
CREATE INDEX IF NOT EXISTS audit_at ON strata_durable.audit (origin, at_ms);

CREATE OR REPLACE FUNCTION strata_durable.audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is append-only';
END
$$;
CREATE OR REPLACE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON strata_durable.audit
  FOR EACH ROW EXECUTE FUNCTION strata_durable.audit_is_append_only();
CREATE OR REPLACE TRIGGER audit_no_truncate BEFORE TRUNCATE ON strata_durable.audit
  FOR EACH STATEMENT EXECUTE FUNCTION strata_durable.audit_is_append_only();

-- One row per sync: why, how it ended, at which commit, and its counts.
CREATE TABLE IF NOT EXISTS strata_durable.sync_log (
  run bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  origin text COLLATE "C" NOT NULL,
  started_at_ms bigint NOT NULL,
  finished_at_ms bigint NOT NULL,
  reason text NOT NULL,
  result text COLLATE "C" NOT NULL,
  commit_id text COLLATE "C",
  details jsonb NOT NULL
);
CREATE INDEX IF NOT EXISTS sync_log_at ON strata_durable.sync_log (origin, finished_at_ms);

-- How often each document was of use.
CREATE TABLE IF NOT EXISTS strata_durable.use_counts (
  origin text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  uses bigint NOT NULL,
  last_used_ms bigint NOT NULL,
  PRIMARY KEY (origin, id)
);

-- Each context that was loaded: by whom, for which project, at which commit, at what price in tokens.
CREATE TABLE IF NOT EXISTS strata_durable.context_loads (
  load bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at_ms bigint NOT NULL,
  origin text COLLATE "C" NOT NULL,
  subject text COLLATE "C" NOT NULL,
  project text COLLATE "C" NOT NULL,
  commit_id text COLLATE "C",
  tokens integer NOT NULL
);

-- Measurements over time: a name, its labels and a value.
CREATE TABLE IF NOT EXISTS strata_durable.metrics (
  at_ms bigint NOT NULL,
  origin text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  labels text COLLATE "C" NOT NULL,
  value double precision NOT NULL
);
CREATE INDEX IF NOT EXISTS metrics_at ON strata_durable.metrics (origin, name, at_ms);

COMMENT ON SCHEMA strata_mirror IS 'strata-memory, derived from the origin: may be dropped and rebuilt. version 5';
COMMENT ON SCHEMA strata_durable IS 'strata-memory, what exists nowhere else: never drop it. version 1';
