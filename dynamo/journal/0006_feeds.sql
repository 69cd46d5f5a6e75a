-- The data time up to which windows were asked for as a backlog: these never grow stale.
ALTER TABLE feeds ADD COLUMN backlog REAL NOT NULL DEFAULT -9e999;

-- Data time of a window's newest file; its `time` may be that of a clock's tick.
ALTER TABLE windows ADD COLUMN data REAL;

-- Folders of products that a watch is to remove some day, of runs that were forgotten.
CREATE TABLE products (
    run     TEXT PRIMARY KEY,
    feed    TEXT NOT NULL,
    folder  TEXT NOT NULL,
    ended   REAL NOT NULL               -- Unix seconds
) STRICT, WITHOUT ROWID;

-- Deliveries are counted by state, for the metrics, without a look at each.
CREATE INDEX deliveries_ended ON deliveries (channel, state) WHERE state <> 'waiting';
