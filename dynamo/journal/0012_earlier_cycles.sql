-- Cycles that were judged again, for their run was gone on with and too little was known before: how they were judged
-- then.
CREATE TABLE earlier_cycles (
    run      TEXT NOT NULL,
    hazard   TEXT NOT NULL,
    feed     TEXT NOT NULL,
    issued   REAL NOT NULL,
    judged   REAL NOT NULL,
    outcome  TEXT NOT NULL,
    known    REAL NOT NULL,
    PRIMARY KEY (run, hazard, judged)
) STRICT, WITHOUT ROWID;
