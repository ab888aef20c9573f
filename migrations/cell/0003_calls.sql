CREATE TABLE calls (
    id TEXT PRIMARY KEY,
    org_id TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    agent_version BIGINT NOT NULL,
    snapshot_hash TEXT NOT NULL,
    channel TEXT NOT NULL,
    direction TEXT NOT NULL,
    from_number TEXT,
    to_number TEXT,
    call_sid TEXT,
    language TEXT NOT NULL,
    variables TEXT NOT NULL,
    metadata TEXT NOT NULL,
    max_seconds BIGINT NOT NULL,
    status TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- Who holds it: raised by the claim alone.
    epoch BIGINT NOT NULL DEFAULT 0,
    claimed_by TEXT,
    claimed_at BIGINT,
    server TEXT,
    region TEXT,
    -- The format of the first claim's line.
    audio TEXT,
    answered_at BIGINT,
    end_requested_at BIGINT,
    ended_at BIGINT,
    ended_reason TEXT,
    sealed_at BIGINT,
    -- Written when it is sealed.
    cost_micro_usd BIGINT,
    interruptions BIGINT,
    latency_p50 BIGINT,
    latency_p95 BIGINT,
    segments TEXT,
    -- Bytes of the browser's own recording.
    client_recording BIGINT
);
CREATE INDEX calls_org ON calls (org_id, id);
CREATE INDEX calls_live ON calls (status, created_at) WHERE ended_at IS NULL;
CREATE INDEX calls_server ON calls (server) WHERE ended_at IS NULL;
CREATE INDEX calls_unsealed ON calls (ended_at) WHERE sealed_at IS NULL AND ended_at IS NOT NULL;

-- One row per batch of entries; moved to the bucket when the call is sealed.
CREATE TABLE journal (
    call_id TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    from_seq BIGINT NOT NULL,
    to_seq BIGINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (call_id, epoch, from_seq)
);

-- What the bucket has acknowledged of a live recording; packed into the call when it is sealed.
CREATE TABLE segments (
    call_id TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    n BIGINT NOT NULL,
    start_ms BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    PRIMARY KEY (call_id, epoch, n)
);

-- A server's word that everything of an epoch has been delivered.
CREATE TABLE reports (
    call_id TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    segments BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (call_id, epoch)
);

-- One row per start of a voice server process.
CREATE TABLE servers (
    id TEXT PRIMARY KEY,
    region TEXT NOT NULL,
    calls BIGINT NOT NULL,
    capacity BIGINT NOT NULL,
    draining BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    missed BIGINT NOT NULL
);
