-- A delivery that failed again and again is set aside: those of other episodes go ahead of it. Line and aside are two
-- ranges of one index; what is aside is also found by when it is due.
ALTER TABLE deliveries ADD COLUMN aside INTEGER NOT NULL DEFAULT 0;
DROP INDEX deliveries_waiting;
CREATE INDEX deliveries_waiting ON deliveries (channel, aside, seq) WHERE state = 'waiting';
CREATE INDEX deliveries_aside ON deliveries (channel, due) WHERE state = 'waiting' AND aside = 1;

-- Of a channel: its failures in a row; until when it is left alone after the last of them; and whether its last turn
-- went to what is set aside, so that the next goes to the line.
ALTER TABLE queues ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queues ADD COLUMN pause REAL NOT NULL DEFAULT 0;
ALTER TABLE queues ADD COLUMN last INTEGER NOT NULL DEFAULT 0;

-- What comes while all that waits is set aside does not wait for that.
DROP TRIGGER deliveries_queued;
CREATE TRIGGER deliveries_queued AFTER INSERT ON deliveries WHEN NEW.state = 'waiting'
BEGIN
    INSERT INTO queues (channel, ready, failing)
    SELECT NEW.channel, NEW.due, 0 WHERE NOT EXISTS (SELECT 1 FROM queues WHERE channel = NEW.channel);
    UPDATE queues SET ready = max(pause, NEW.due)
    WHERE channel = NEW.channel AND sender = '' AND ready > max(pause, NEW.due) AND NOT EXISTS (
        SELECT 1 FROM deliveries
        WHERE channel = NEW.channel AND state = 'waiting' AND aside = 0 AND seq < NEW.seq);
END;
