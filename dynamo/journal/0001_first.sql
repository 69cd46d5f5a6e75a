CREATE TABLE runs (
    id        TEXT PRIMARY KEY,
    workflow  TEXT NOT NULL,
    state     TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed', 'interrupted')),
    created   REAL NOT NULL,            -- Unix seconds
    ended     REAL,
    graph     BLOB NOT NULL,            -- JSON, deflated
    settings  TEXT NOT NULL             -- JSON: products, engine, options
) STRICT;
CREATE INDEX runs_by_time ON runs (created);

-- What run-time workflows added to the graph of a run.
CREATE TABLE expansions (
    run    TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    task   TEXT NOT NULL,
    graph  BLOB NOT NULL,               -- JSON, deflated
    PRIMARY KEY (run, task)
) STRICT, WITHOUT ROWID;

-- A task that waits has no row.
CREATE TABLE tasks (
    run     TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    task    TEXT NOT NULL,
    step    TEXT NOT NULL,
    state   TEXT NOT NULL CHECK (state IN ('running', 'done', 'reused', 'failed', 'blocked')),
    reason  TEXT NOT NULL,              -- why it ran or did not
    key     TEXT,
    PRIMARY KEY (run, task)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
    run      TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    task     TEXT NOT NULL,
    n        INTEGER NOT NULL,          -- from 1
    worker   TEXT NOT NULL,
    started  REAL NOT NULL,
    ended    REAL,
    outcome  TEXT NOT NULL CHECK (outcome IN ('running', 'ok', 'failed', 'blocked', 'lost', 'timeout', 'memory')),
    error    TEXT NOT NULL DEFAULT '',
    exit     INTEGER,
    cpu      REAL NOT NULL DEFAULT 0,   -- seconds
    peak     INTEGER NOT NULL DEFAULT 0,-- bytes
    logged   INTEGER NOT NULL DEFAULT 0,-- bytes
    PRIMARY KEY (run, task, n)
) STRICT, WITHOUT ROWID;

-- What a key stands for: the same code on the same inputs makes these files again.
CREATE TABLE results (
    key   TEXT PRIMARY KEY,
    run   TEXT NOT NULL,
    task  TEXT NOT NULL,
    made  TEXT NOT NULL,                -- JSON: output name to [digest, size, mtime ns]
    at    REAL NOT NULL,
    used  REAL NOT NULL                 -- last made or reused; retention goes by it
) STRICT, WITHOUT ROWID;

-- What the last key of a task was made of, to say what changed.
CREATE TABLE latest (
    workflow  TEXT NOT NULL,
    task      TEXT NOT NULL,
    key       TEXT NOT NULL,
    parts     TEXT NOT NULL,            -- JSON
    PRIMARY KEY (workflow, task)
) STRICT, WITHOUT ROWID;

-- What was found in source files, valid while they are in this state.
CREATE TABLE sources (
    path    TEXT PRIMARY KEY,
    state   TEXT NOT NULL,
    found   BLOB NOT NULL               -- JSON
) STRICT, WITHOUT ROWID;

-- Digests of files outside the store, valid while they look unchanged.
CREATE TABLE digests (
    path    TEXT PRIMARY KEY,
    size    INTEGER NOT NULL,
    mtime   INTEGER NOT NULL,           -- ns
    inode   INTEGER NOT NULL,
    digest  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
