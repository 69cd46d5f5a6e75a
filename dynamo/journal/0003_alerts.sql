-- A run whose hazards were judged, or were passed over, for each kind of hazard.
CREATE TABLE cycles (
    run      TEXT NOT NULL,
    hazard   TEXT NOT NULL,
    feed     TEXT NOT NULL,             -- the workflow whose products are judged
    issued   REAL NOT NULL,             -- analysis time, Unix seconds
    judged   REAL NOT NULL,
    outcome  TEXT NOT NULL CHECK (outcome IN ('judged', 'late', 'unknown')),
    known    REAL NOT NULL,             -- share of the field of which anything was known, 0 to 1
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
CREATE INDEX alerts_by_run ON alerts (run);
CREATE INDEX alerts_by_episode ON alerts (episode, revision);

-- The outbox. Rows of one channel are sent one after another, in the order of seq; `queues` says whose turn it is.
CREATE TABLE deliveries (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    id       TEXT NOT NULL UNIQUE,      -- the same on the wire at every try
    alert    TEXT NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    episode  TEXT NOT NULL,
    channel  TEXT NOT NULL,
    state    TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'dead', 'dropped')),
    due      REAL NOT NULL,             -- not before, Unix seconds
    expires  REAL NOT NULL,
    tries    INTEGER NOT NULL DEFAULT 0, -- since it was written, or taken out of the dead letters
    begun    REAL,                      -- when the first of these was
    ended    REAL,
    reason   TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX deliveries_waiting ON deliveries (channel, seq) WHERE state = 'waiting';
CREATE INDEX deliveries_by_alert ON deliveries (alert);
CREATE INDEX deliveries_by_episode ON deliveries (episode, channel, seq);
CREATE INDEX deliveries_dead ON deliveries (seq) WHERE state = 'dead';

-- One row for each channel for which anything waits, so that a sender finds its work without looking at what waits
-- behind it. Made with the first delivery that waits.
CREATE TABLE queues (
    channel  TEXT PRIMARY KEY,
    ready    REAL NOT NULL,             -- when its first delivery is due, or until when a sender has leased it
    failing  INTEGER NOT NULL,          -- whether its first delivery has failed before
    sender   TEXT NOT NULL DEFAULT ''   -- who leased it
) STRICT, WITHOUT ROWID;
CREATE INDEX queues_by_turn ON queues (failing, ready);
CREATE TRIGGER deliveries_queued AFTER INSERT ON deliveries WHEN NEW.state = 'waiting'
BEGIN
    INSERT INTO queues (channel, ready, failing)
    SELECT NEW.channel, NEW.due, 0 WHERE NOT EXISTS (SELECT 1 FROM queues WHERE channel = NEW.channel);
END;

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
