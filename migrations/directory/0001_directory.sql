-- The one table that the cells share. It holds no address, only a keyed hash of it.
CREATE TABLE directory (
    h TEXT PRIMARY KEY,
    cell TEXT NOT NULL,
    reg TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    confirmed_at BIGINT
);
CREATE INDEX directory_unconfirmed ON directory (created_at) WHERE confirmed_at IS NULL;
