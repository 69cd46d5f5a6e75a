-- Where subscribers said they are, the newest of each.
CREATE TABLE positions (
    feed        TEXT NOT NULL,
    subscriber  TEXT NOT NULL,
    lon         REAL NOT NULL,          -- WGS 84 degrees
    lat         REAL NOT NULL,
    time        REAL NOT NULL,          -- when that was so, Unix seconds
    PRIMARY KEY (feed, subscriber)
) STRICT, WITHOUT ROWID;
