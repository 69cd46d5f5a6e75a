-- Join tokens of the fleet's workers: what is kept of each is its digest.
CREATE TABLE fleet_joins (
    digest   TEXT PRIMARY KEY,          -- SHA-256 of the join token
    worker   TEXT NOT NULL,             -- name of the machine that it is for
    node     TEXT NOT NULL,             -- its node group
    token    TEXT NOT NULL,             -- of its order
    offer    TEXT NOT NULL,
    until    REAL NOT NULL,             -- good before
    dies     REAL NOT NULL,             -- when the machine's lifetime is over
    cores    INTEGER NOT NULL,
    memory   INTEGER NOT NULL,
    idle     REAL NOT NULL,
    grace    REAL NOT NULL,
    spent    REAL,                      -- when it was exchanged
    nonce    TEXT NOT NULL,             -- SHA-256 of the number that it was exchanged with
    revoked  REAL                       -- when the worker was let go
) STRICT, WITHOUT ROWID;
CREATE INDEX fleet_joins_of ON fleet_joins (worker);

-- Who was refused, and why.
CREATE TABLE fleet_refusals (
    id       INTEGER PRIMARY KEY,
    at       REAL NOT NULL,
    worker   TEXT NOT NULL,             -- what it called itself
    why      TEXT NOT NULL
) STRICT;
