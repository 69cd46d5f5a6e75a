-- A run whose hazards were judged, or were passed over, for each kind of hazard.
CREATE TABLE cycles (
    run      TEXT NOT NULL,
    hazard   TEXT NOT NULL,
    feed     TEXT NOT NULL,             -- the workflow whose products are judged
    issued   REAL NOT NULL,             -- analysis time, Unix seconds
    judged   REAL NOT NULL,
    outcome  TEXT NOT NULL CHECK (outcome IN ('judged', 'late', 'unknown')),
    PRIMARY KEY (run, hazard)
) STRICT, WITHOUT ROWID;
CREATE INDEX cycles_by_time ON cycles (feed, hazard, issued);

-- Where a subscriber stands with a kind of hazard, while there is anything to say.
CREATE TABLE episodes (
    feed        TEXT NOT NULL,
    hazard      TEXT NOT NULL,
    subscriber  TEXT NOT NULL,
    state       TEXT NOT NULL,          -- JSON
    PRIMARY KEY (feed, hazard, subscriber)
) STRICT, WITHOUT ROWID;

CREATE TABLE alerts (
    id          TEXT PRIMARY KEY,
    episode     TEXT NOT NULL,
    revision    INTEGER NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('new', 'updated', 'cancelled')),
    feed        TEXT NOT NULL,
    run         TEXT NOT NULL,
    subscriber  TEXT NOT NULL,
    hazard      TEXT NOT NULL,
    made        REAL NOT NULL,
    body        TEXT NOT NULL           -- JSON
) STRICT;
CREATE INDEX alerts_by_time ON alerts (made);
CREATE INDEX alerts_by_episode ON alerts (episode, revision);

-- The outbox. Rows of one channel are sent one after another, in the order of seq.
CREATE TABLE deliveries (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    id       TEXT NOT NULL UNIQUE,      -- the same on the wire at every try
    alert    TEXT NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    episode  TEXT NOT NULL,
    channel  TEXT NOT NULL,
    state    TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'dead', 'dropped')),
    due      REAL NOT NULL,             -- not before, Unix seconds
    expires  REAL NOT NULL,
    leased   REAL NOT NULL DEFAULT 0,   -- a sender has it until then
    sender   TEXT NOT NULL DEFAULT '',
    tries    INTEGER NOT NULL DEFAULT 0,
    ended    REAL,
    reason   TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX deliveries_waiting ON deliveries (channel, seq) WHERE state = 'waiting';
CREATE INDEX deliveries_by_alert ON deliveries (alert);

CREATE TABLE tries (
    delivery  TEXT NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    n         INTEGER NOT NULL,         -- from 1
    at        REAL NOT NULL,
    seconds   REAL NOT NULL,
    outcome   TEXT NOT NULL CHECK (outcome IN ('sent', 'again', 'refused')),
    status    INTEGER,                  -- of HTTP
    response  TEXT NOT NULL,            -- its beginning, or the error
    PRIMARY KEY (delivery, n)
) STRICT, WITHOUT ROWID;

-- Channels that asked not to be sent anything any more.
CREATE TABLE closed_channels (
    channel  TEXT PRIMARY KEY,
    at       REAL NOT NULL,
    reason   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
