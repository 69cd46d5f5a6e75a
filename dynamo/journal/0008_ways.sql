-- What a channel is told of a subscriber and a hazard is an episode of its own: its way is the channel that the rules
-- name, or empty for rules that name none, which mean all channels together.
CREATE TABLE episodes_by_way (
    feed        TEXT NOT NULL,
    hazard      TEXT NOT NULL,
    subscriber  TEXT NOT NULL,
    way         TEXT NOT NULL,
    state       TEXT NOT NULL,          -- JSON
    PRIMARY KEY (feed, hazard, subscriber, way)
) STRICT, WITHOUT ROWID;
-- A state keeps the narrowest distance of a rule that was told. Of those there are it is not known; at 0 no narrower one
-- can be news.
INSERT INTO episodes_by_way
SELECT feed, hazard, subscriber, '', json_insert(state, '$[#]', 0.0) FROM episodes;
DROP TABLE episodes;
ALTER TABLE episodes_by_way RENAME TO episodes;

-- Last alerts of episodes that ended without an all clear, because nobody could say that it is over.
CREATE TABLE lapsed (
    alert   TEXT PRIMARY KEY REFERENCES alerts (id) ON DELETE CASCADE,
    at      REAL NOT NULL,
    reason  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
