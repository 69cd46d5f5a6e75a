-- Data times of the cycles that held nothing of it, as JSON: others between them may have seen too little near somebody.
ALTER TABLE cleared ADD COLUMN times TEXT NOT NULL DEFAULT '[]';
