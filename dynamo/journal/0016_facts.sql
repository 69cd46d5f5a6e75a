-- What tasks told of what they made: numbers by name, by which is predicted how long the tasks after them take.
ALTER TABLE attempts ADD COLUMN facts TEXT NOT NULL DEFAULT ''; -- JSON; empty where nothing was told
CREATE INDEX attempts_telling ON attempts (run, task) WHERE facts != '';
