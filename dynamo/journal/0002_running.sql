-- That a task runs is told by its attempt alone, with the step and the reason that its row had until now.
ALTER TABLE attempts ADD COLUMN step TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN reason TEXT NOT NULL DEFAULT '';
DELETE FROM tasks WHERE state = 'running';

-- What a task was made of is forgotten with the results of its time.
ALTER TABLE latest ADD COLUMN at REAL NOT NULL DEFAULT 0;
