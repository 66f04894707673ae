-- What was decided and done, in order. Rows are only ever added.
create table journal (
    seq bigint generated always as identity primary key,
    offboarding_id uuid not null constraint journal_offboarding references offboardings (id),
    at timestamptz not null default clock_timestamp(),
    actor text not null,
    action text not null,
    step text,
    target text,
    -- Null on an intention.
    result text,
    -- The X-Request-Id of a call; an intention and its outcome share it.
    request_id uuid,
    correlation_id text
);

create index journal_by_offboarding on journal (offboarding_id, seq);

-- What the person held at first sight, with everything that a restore needs, and what became of it.
create table assignments (
    offboarding_id uuid not null constraint assignments_offboarding references offboardings (id),
    step text not null,
    target text not null,
    detail jsonb not null,
    first_seen_at timestamptz not null default now(),
    removed_at timestamptz,
    -- How often it was taken away; more than once means that somebody keeps assigning it.
    removals integer not null default 0,
    constraint assignments_pkey primary key (offboarding_id, step, target)
);

-- How far each step of the plan is.
create table steps (
    offboarding_id uuid not null constraint steps_offboarding references offboardings (id),
    name text not null,
    phase text not null,
    status text not null,
    updated_at timestamptz not null default now(),
    constraint steps_pkey primary key (offboarding_id, name),
    constraint steps_status_known check (status in ('pending', 'done', 'failed', 'skipped'))
);
