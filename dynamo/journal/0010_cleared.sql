-- All clears: what the rules asked for, and how many cycles in a row held nothing of it.
CREATE TABLE cleared (
    alert   TEXT PRIMARY KEY REFERENCES alerts (id) ON DELETE CASCADE,
    cycles  INTEGER NOT NULL,
    level   REAL,                       -- the lowest that counts, null for any
    lead    REAL                        -- minutes ahead at most, null for any
) STRICT, WITHOUT ROWID;
