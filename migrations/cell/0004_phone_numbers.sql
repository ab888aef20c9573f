-- Numbers that lead to an agent. Whose a number is, over all cells, is what the directory says: a
-- row counts once `confirmed_at` notes that the directory leads to it.
CREATE TABLE phone_numbers (
    id TEXT PRIMARY KEY,
    org_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    e164 TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    confirmed_at BIGINT
);
CREATE INDEX phone_numbers_org ON phone_numbers (org_id, id);
CREATE INDEX phone_numbers_unconfirmed ON phone_numbers (created_at) WHERE confirmed_at IS NULL;

-- A webhook that comes again finds the call that it made.
CREATE UNIQUE INDEX calls_call_sid ON calls (call_sid) WHERE call_sid IS NOT NULL;
-- Why the edge asked the call's holder to end it.
ALTER TABLE calls ADD COLUMN end_requested_reason TEXT;
