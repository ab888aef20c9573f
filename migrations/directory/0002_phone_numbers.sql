-- Which row of which cell a phone number leads to. It holds no number, only a keyed hash of it.
CREATE TABLE phone_numbers (
    h TEXT PRIMARY KEY,
    cell TEXT NOT NULL,
    id TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
