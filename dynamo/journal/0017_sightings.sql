-- A feed may sleep until the weather in the products of another one wakes it: windows that come meanwhile are asleep.
CREATE TABLE windows_new (
    feed      TEXT NOT NULL,
    time      REAL NOT NULL,            -- data time, Unix seconds
    first     REAL NOT NULL,            -- that of its oldest file of the same cycle
    files     TEXT NOT NULL,            -- JSON: paths by input
    complete  INTEGER NOT NULL,
    state     TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'superseded', 'passed', 'asleep')),
    reason    TEXT NOT NULL,
    run       TEXT NOT NULL DEFAULT '',
    queued    REAL NOT NULL,
    started   REAL,
    ended     REAL,
    data      REAL,                     -- data time of its newest file; `time` may be that of a clock's tick
    PRIMARY KEY (feed, time)
) STRICT, WITHOUT ROWID;
INSERT INTO windows_new (feed, time, first, files, complete, state, reason, run, queued, started, ended, data)
    SELECT feed, time, first, files, complete, state, reason, run, queued, started, ended, data FROM windows;
DROP TABLE windows;
ALTER TABLE windows_new RENAME TO windows;
CREATE INDEX windows_open ON windows (feed, time) WHERE state IN ('queued', 'running');

-- What each run of the other feed showed of what is waited for.
CREATE TABLE sightings (
    feed       TEXT NOT NULL,           -- who sleeps
    condition  TEXT NOT NULL,           -- digest of what it waits for, so that an edited one begins anew
    run        TEXT NOT NULL,           -- of the other feed
    time       REAL NOT NULL,           -- of its data, Unix seconds
    area       REAL NOT NULL,           -- square kilometres
    known      REAL NOT NULL,           -- share of the field that was seen
    held       INTEGER NOT NULL,
    wrong      TEXT NOT NULL,           -- why it says nothing
    seen       REAL NOT NULL,           -- Unix seconds
    PRIMARY KEY (feed, condition, run)
) STRICT, WITHOUT ROWID;
CREATE INDEX sightings_by_time ON sightings (feed, condition, time);

-- When feeds woke and fell asleep.
CREATE TABLE wakings (
    id     INTEGER PRIMARY KEY,
    feed   TEXT NOT NULL,
    at     REAL NOT NULL,               -- Unix seconds
    awake  INTEGER NOT NULL,
    cause  TEXT NOT NULL,
    said   TEXT NOT NULL
) STRICT;
CREATE INDEX wakings_of ON wakings (feed, id);
