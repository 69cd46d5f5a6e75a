-- Channels whose last try failed: since when, how often in a row, and why. Not by what waits for them: where all of that
-- has expired, they fail still.
CREATE TABLE failing_channels (
    channel   TEXT PRIMARY KEY,
    since     REAL NOT NULL,            -- the first failure in a row, Unix seconds
    last      REAL NOT NULL,
    failures  INTEGER NOT NULL,
    reason    TEXT NOT NULL             -- of the last
) STRICT, WITHOUT ROWID;
