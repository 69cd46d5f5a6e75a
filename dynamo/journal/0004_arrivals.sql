-- What `dynamo watch` goes by: one row for each feed (a run file that is watched).
CREATE TABLE feeds (
    feed   TEXT PRIMARY KEY,
    low    REAL NOT NULL,               -- no file of this data time or before makes a window
    tick   REAL NOT NULL,               -- of its clock, the last that was taken, or when it began
    since  REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- Files that arrived, as they were last seen.
CREATE TABLE arrivals (
    feed     TEXT NOT NULL,
    input    TEXT NOT NULL,
    path     TEXT NOT NULL,
    size     INTEGER NOT NULL,
    mtime    INTEGER NOT NULL,          -- nanoseconds
    time     REAL,                      -- of its data, Unix seconds
    source   TEXT NOT NULL,
    seen     REAL NOT NULL,
    outcome  TEXT NOT NULL CHECK (outcome IN ('waiting', 'used', 'kept', 'backlog', 'late', 'duplicate',
             'replaced', 'ahead', 'outside', 'timeless', 'passed', 'gone')),
    PRIMARY KEY (feed, input, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX arrivals_by_time ON arrivals (feed, input, time);
CREATE INDEX arrivals_undecided ON arrivals (feed) WHERE outcome IN ('waiting', 'ahead');

CREATE TABLE windows (
    feed      TEXT NOT NULL,
    time      REAL NOT NULL,            -- data time, Unix seconds
    first     REAL NOT NULL,            -- that of its oldest file of the same cycle
    files     TEXT NOT NULL,            -- JSON: paths by input
    complete  INTEGER NOT NULL,
    state     TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'superseded', 'passed')),
    reason    TEXT NOT NULL,
    run       TEXT NOT NULL DEFAULT '',
    queued    REAL NOT NULL,
    started   REAL,
    ended     REAL,
    PRIMARY KEY (feed, time)
) STRICT, WITHOUT ROWID;
CREATE INDEX windows_open ON windows (feed, time) WHERE state IN ('queued', 'running');
