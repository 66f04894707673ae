-- Telling others what became of an offboarding: who wants to know what, and what each of them has not been told yet.

-- Who is told, as running workers have it in their configuration.
create table callback_targets (
    name text primary key,
    -- The words of what it wants to know, for example offboarding.done.
    events text[] not null,
    -- When a worker said last that it has it in its configuration. Each says so again all the time, so that one with another
    -- configuration takes nobody's target away.
    announced_at timestamptz not null default now(),
    -- Since when it is no longer configured: nothing new is written for it, and nothing is sent.
    removed_at timestamptz,
    -- Calls in a row that failed because of the receiver and not of what was sent, and since when they do.
    failures integer not null default 0,
    failing_since timestamptz,
    -- Nobody calls it before: a receiver that is away does not keep the senders busy. Shared by all replicas.
    paused_until timestamptz
);

-- One row for one thing that one target is to be told. What happened is kept as it was then; who the person is, is read
-- from the offboarding.
create table callbacks (
    -- Also the webhook-id: the same at every try, so that a receiver knows what it has had.
    id uuid primary key default gen_random_uuid(),
    -- In the order of what happened, within one offboarding; a receiver orders by it.
    sequence bigint generated always as identity,
    target text not null,
    offboarding_id uuid not null constraint callbacks_offboarding references offboardings (id),
    event text not null,
    status text not null default 'waiting',
    -- The state of the offboarding that is told.
    offboarding_status text not null,
    outcome text,
    reason text,
    goal text not null,
    genesys_user_id text,
    effective_at timestamptz not null,
    completed_at timestamptz,
    -- Within one offboarding never earlier than the one before: taken under the lock of its row.
    occurred_at timestamptz not null default clock_timestamp(),
    -- The transaction that wrote it: of what one transaction does to a row, only the last is told.
    written_by xid8 not null default pg_current_xact_id(),
    attempts integer not null default 0,
    -- When it is tried next; whoever takes it moves this ahead, so that a process that ends in between is followed by another.
    next_attempt_at timestamptz not null default now(),
    -- The first failure since it was written or repeated.
    failing_since timestamptz,
    -- In words, without anything that a receiver has said.
    last_result text,
    delivered_at timestamptz,
    -- When it was delivered or given up.
    ended_at timestamptz,
    constraint callbacks_status_known check (status in ('waiting', 'delivered', 'gave_up')),
    constraint callbacks_ended check ((status = 'waiting') = (ended_at is null))
);

create unique index callbacks_newest on callbacks (sequence desc);
create index callbacks_due on callbacks (target, next_attempt_at) where status = 'waiting';
create index callbacks_by_offboarding on callbacks (offboarding_id, sequence);
create index callbacks_ended_at on callbacks (ended_at) where status <> 'waiting';

-- A queue: rows come and go all the time.
alter table callbacks set (autovacuum_vacuum_scale_factor = 0.01, autovacuum_analyze_scale_factor = 0.01);

-- In the database and not in each of the queries that end or hold an offboarding: none of them can forget it, and it is
-- written in the transaction of the change itself.
create function tell_of_offboarding() returns trigger language plpgsql as $$
begin
    delete from callbacks where offboarding_id = new.id and written_by = pg_current_xact_id();
    insert into callbacks (target, offboarding_id, event, offboarding_status, outcome, reason, goal, genesys_user_id,
                           effective_at, completed_at)
    select t.name, new.id, 'offboarding.' || new.status, new.status, new.outcome, new.reason, new.goal,
           new.genesys_user_id, new.effective_at, new.completed_at
    from callback_targets t
    where t.removed_at is null and 'offboarding.' || new.status = any (t.events)
    order by t.name;
    return null;
end
$$;

create trigger offboardings_tell_of_new after insert on offboardings
    for each row execute function tell_of_offboarding();

-- Held for another reason is something new; held for the same one, with another date or another name, is not.
create trigger offboardings_tell_of_change after update on offboardings
    for each row
    when ((old.status, old.outcome, old.reason) is distinct from (new.status, new.outcome, new.reason))
    execute function tell_of_offboarding();
