-- What lies near many people is drawn once for all alerts of a run; their bodies have null in its place.
CREATE TABLE pictures (
    run   TEXT NOT NULL,
    id    TEXT NOT NULL,                -- digest
    body  TEXT NOT NULL,                -- GeoJSON geometry
    PRIMARY KEY (run, id)
) STRICT, WITHOUT ROWID;
ALTER TABLE alerts ADD COLUMN picture TEXT;

-- Alerts with their pictures. Within a JSON text no string holds the name of a key with plain quotes around it.
CREATE VIEW messages AS
SELECT rowid AS number, id, episode, revision, kind, feed, run, subscriber, hazard, made,
    CASE WHEN picture IS NULL THEN body ELSE replace(body, '"polygons":null', '"polygons":' || (
        SELECT p.body FROM pictures p WHERE p.run = alerts.run AND p.id = alerts.picture)) END AS body
FROM alerts;

-- As before; but what need not be done is not begun, for a storm over a city tells a hundred thousand at once.
DROP TRIGGER deliveries_queued;
CREATE TRIGGER deliveries_queued AFTER INSERT ON deliveries
WHEN NEW.state = 'waiting' AND NOT EXISTS (
    SELECT 1 FROM queues WHERE channel = NEW.channel AND (sender <> '' OR ready <= max(pause, NEW.due)))
BEGIN
    INSERT INTO queues (channel, ready, failing)
    SELECT NEW.channel, NEW.due, 0 WHERE NOT EXISTS (SELECT 1 FROM queues WHERE channel = NEW.channel);
    UPDATE queues SET ready = max(pause, NEW.due)
    WHERE channel = NEW.channel AND sender = '' AND ready > max(pause, NEW.due) AND NOT EXISTS (
        SELECT 1 FROM deliveries
        WHERE channel = NEW.channel AND state = 'waiting' AND aside = 0 AND seq < NEW.seq);
END;
