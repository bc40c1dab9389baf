-- The schema, version 1: what `nbatch share init` makes. Each table says what it is for; the statements that use it are
-- in files of their own beside this one. Times are the database's throughout: a worker's clock is never asked.

CREATE SCHEMA nbatch;

-- One row: the version of the schema, and how long a lease lasts that is not renewed.
CREATE TABLE nbatch.meta (
    version int NOT NULL,
    lease   interval NOT NULL DEFAULT '30 s' CHECK (lease >= '1 s')
);
INSERT INTO nbatch.meta (version) VALUES (1);

-- Whoever the platform counts requests for. Its name is the fingerprint of the key (eight hexadecimal digits of its
-- SHA-256); the key itself is nowhere in the database.
CREATE TABLE nbatch.account (
    name         text PRIMARY KEY,
    due          timestamptz NOT NULL DEFAULT 'epoch',     -- when the next request may start
    taken        bigint NOT NULL DEFAULT 0,                -- starts that were given out, ever
    throttled    float8,                                   -- a second: the platform has refused more; NULL: it has not
    throttled_at timestamptz,
    pace         float8,                                   -- starts a second of late, where no rate holds
    pace_at      timestamptz NOT NULL DEFAULT '-infinity',
    pace_taken   bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20);

-- An input that was checked and loaded as a whole.
CREATE TABLE nbatch.job (
    id           int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL UNIQUE,
    account      text NOT NULL REFERENCES nbatch.account,
    state        text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'paused', 'stopped', 'complete')),
    endpoint     text NOT NULL,               -- where its requests go
    dialect      int NOT NULL,                -- which of the platform's interfaces they were made for
    input        text NOT NULL,
    input_hash   bigint NOT NULL,
    rate         float8,                      -- a second, as asked for; NULL: none
    again_idempotent boolean NOT NULL,        -- send again what may have been processed, of actions that may go twice …
    again_other      boolean NOT NULL,        -- … and of the others
    on_ambiguous int NOT NULL,                -- as it was asked for
    passed       text[] NOT NULL,             -- names of the columns that go into the results
    rows         bigint NOT NULL DEFAULT 0,
    loaded       timestamptz NOT NULL DEFAULT now()
);

-- A process that works: at a job, or with a job of its own that keeps the account's rate (job is NULL).
CREATE TABLE nbatch.worker (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account text NOT NULL REFERENCES nbatch.account,
    job     int REFERENCES nbatch.job ON DELETE CASCADE,
    name    text NOT NULL,                    -- host and process, for people
    rate    float8,                           -- a second, as it was started with; NULL: the job's
    until   timestamptz NOT NULL,             -- it counts as alive
    started timestamptz NOT NULL DEFAULT now()
);

-- A part of a job: the commands of the devices whose hash falls into it. One worker at a time has it, so that the
-- commands for one device stay in order. `epoch` counts the leases: what is written carries it, and is refused where
-- another worker has the shard by then.
CREATE TABLE nbatch.shard (
    job     int NOT NULL REFERENCES nbatch.job ON DELETE CASCADE,
    number  int NOT NULL,
    rows    bigint NOT NULL,
    reached bigint NOT NULL DEFAULT 0,        -- rows of the input up to this one have been started
    epoch   int NOT NULL DEFAULT 0,
    worker  bigint,
    until   timestamptz NOT NULL DEFAULT '-infinity',
    is_done boolean NOT NULL DEFAULT false,
    PRIMARY KEY (job, number)
) WITH (fillfactor = 20);

-- What was checked: a request, ready to be sent, and what the results say of its row. Never changed.
CREATE TABLE nbatch.command (
    job        int NOT NULL REFERENCES nbatch.job ON DELETE CASCADE,
    shard      int NOT NULL,
    row        bigint NOT NULL,
    line       bigint NOT NULL,
    device     bigint NOT NULL,
    hash       bigint NOT NULL,
    occurrence int NOT NULL,
    action     smallint NOT NULL,             -- 0 write, 1 read, 2 execute
    valid_at   bigint NOT NULL,               -- seconds since 1970
    expires_at bigint NOT NULL,
    has_valid  boolean NOT NULL,              -- valid_at was given
    cut_at     int NOT NULL,                  -- where the target has valid_time, …
    cut_len    int NOT NULL,                  -- … and its length; 0: nowhere
    target     text NOT NULL,
    body       bytea NOT NULL,
    name       bytea NOT NULL,                -- the device as given
    passed     bytea NOT NULL,                -- the cells of job.passed: kind, length, bytes
    problem    text,                          -- it is invalid, and never sent
    PRIMARY KEY (job, shard, row)
);

-- Rows that have been started and have no result: each is put here before its request may leave. Who takes over a
-- shard finds what its last worker may have sent.
CREATE TABLE nbatch.started (
    job       int NOT NULL REFERENCES nbatch.job ON DELETE CASCADE,
    shard     int NOT NULL,
    row       bigint NOT NULL,
    may_left  boolean NOT NULL DEFAULT true,  -- false: it was given back, and is certain not to have been processed
    sent      int NOT NULL,                   -- requests that had left before
    ambiguous int NOT NULL,                   -- those of them that may have been processed
    at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job, shard, row)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- What became of each row.
CREATE TABLE nbatch.result (
    job         int NOT NULL REFERENCES nbatch.job ON DELETE CASCADE,
    row         bigint NOT NULL,
    status      smallint NOT NULL,            -- 0 accepted, 1 rejected, 2 failed, 3 in_doubt, 4 invalid
    uuid        text NOT NULL,
    errno       bigint,
    error       text NOT NULL,
    http_status int NOT NULL,
    attempts    int NOT NULL,
    ambiguous   int NOT NULL,
    latency_us  bigint NOT NULL,              -- -1: none
    finished    timestamptz NOT NULL,
    began       timestamptz,                  -- of a row that was in doubt: when it was started first
    worker      bigint,
    PRIMARY KEY (job, row)
);

-- Evidence: answers that came to a worker which had lost its lease. They overwrite nothing but a row in doubt.
CREATE TABLE nbatch.event (
    job         int NOT NULL REFERENCES nbatch.job ON DELETE CASCADE,
    row         bigint NOT NULL,
    worker      bigint,
    at          timestamptz NOT NULL DEFAULT now(),
    status      smallint NOT NULL,
    uuid        text NOT NULL,
    error       text NOT NULL
);
CREATE INDEX event_row ON nbatch.event (job, row);
