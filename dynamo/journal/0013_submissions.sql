-- Where a run stands that another scheduler has: what was submitted, and how far its log was followed.
CREATE TABLE submissions (
    run   TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    data  TEXT NOT NULL                 -- JSON
) STRICT, WITHOUT ROWID;
