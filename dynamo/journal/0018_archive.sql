-- Windows of archived days: what was asked for each, and what it made. By this a range is known to be done at one look.
CREATE TABLE archived (
    feed    TEXT NOT NULL,
    time    REAL NOT NULL,              -- data time, Unix seconds
    asked   TEXT NOT NULL,              -- digest of the window's files, the parameters and the code
    run     TEXT NOT NULL,
    done    INTEGER NOT NULL DEFAULT 0, -- whether it ended well
    folder  TEXT NOT NULL DEFAULT '',   -- of its products
    files   BLOB NOT NULL DEFAULT x'',  -- JSON, deflated: products in that folder, and other files that it was made of
    stamp   TEXT NOT NULL DEFAULT '',   -- digest of how these looked when it was done
    wrote   TEXT NOT NULL DEFAULT '',   -- what its tasks had to say
    at      REAL NOT NULL,
    PRIMARY KEY (feed, time)
) STRICT, WITHOUT ROWID;
