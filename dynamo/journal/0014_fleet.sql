-- The fleet. What a cloud lists is the truth; this is the memory: what was ordered, why, and what became of it.
CREATE TABLE fleet_workers (
    token    TEXT PRIMARY KEY,          -- of the order; also a tag of the machine
    slice    TEXT NOT NULL,
    node     TEXT NOT NULL,             -- its node group
    provider TEXT NOT NULL,
    offer    TEXT NOT NULL,
    name     TEXT NOT NULL,
    machine  TEXT NOT NULL,             -- what the provider knows it by; empty until its answer
    stage    TEXT NOT NULL,
    since    REAL NOT NULL,             -- of the stage
    ordered  REAL NOT NULL,
    joined   REAL,                      -- first heard of in the pool
    ended    REAL,                      -- not paid any more
    failed   INTEGER NOT NULL,          -- whether it came to nothing
    why      TEXT NOT NULL,             -- of the stage, in words
    cores    INTEGER NOT NULL,
    memory   INTEGER NOT NULL,
    usd_per_hour REAL NOT NULL,
    quantum  REAL NOT NULL,
    minimum  REAL NOT NULL,
    dies     REAL                       -- when its lifetime is over
) STRICT, WITHOUT ROWID;
CREATE INDEX fleet_workers_of ON fleet_workers (slice, stage);

-- What became of each, step by step.
CREATE TABLE fleet_events (
    id       INTEGER PRIMARY KEY,
    slice    TEXT NOT NULL,
    token    TEXT NOT NULL,             -- empty for what is of the whole slice
    at       REAL NOT NULL,
    what     TEXT NOT NULL,             -- a stage, or another short word
    why      TEXT NOT NULL
) STRICT;
CREATE INDEX fleet_events_of ON fleet_events (slice, at);

-- Every decision with what it was decided from, so that it can be explained and done again.
CREATE TABLE fleet_decisions (
    id       INTEGER PRIMARY KEY,
    slice    TEXT NOT NULL,
    at       REAL NOT NULL,
    policy   TEXT NOT NULL,
    view     TEXT NOT NULL,             -- JSON
    decision TEXT NOT NULL              -- JSON
) STRICT;
CREATE INDEX fleet_decisions_of ON fleet_decisions (slice, at);

-- What is learned, and kept over a restart: the policy's history, the costs of tasks, boot times, offerings that rest.
CREATE TABLE fleet_memory (
    slice    TEXT NOT NULL,
    name     TEXT NOT NULL,
    data     TEXT NOT NULL,             -- JSON
    PRIMARY KEY (slice, name)
) STRICT, WITHOUT ROWID;

-- How it stood in each turn: supply, demand, cost, for figures and charts.
CREATE TABLE fleet_standing (
    id       INTEGER PRIMARY KEY,
    slice    TEXT NOT NULL,
    at       REAL NOT NULL,
    data     TEXT NOT NULL              -- JSON
) STRICT;
CREATE INDEX fleet_standing_of ON fleet_standing (slice, at);
