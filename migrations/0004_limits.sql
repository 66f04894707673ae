-- The calls to Genesys Cloud of the last minute, over all replicas. A row counts until a minute after its stamp.
create table genesys_calls (
    stamp timestamptz not null
);

create index genesys_calls_by_stamp on genesys_calls (stamp);

-- What Genesys Cloud announced; one row, whose lock also makes the count above exact.
create table genesys_limits (
    only_row boolean primary key default true,
    allowed_per_minute integer,
    blocked_until timestamptz,
    constraint genesys_limits_single check (only_row)
);

insert into genesys_limits default values;

-- The people changed, for the brake: one row per offboarding, at its first changing call.
create table changed_people (
    offboarding_id uuid primary key constraint changed_people_offboarding references offboardings (id),
    genesys_user_id text not null,
    changed_at timestamptz not null default now()
);

create index changed_people_by_time on changed_people (changed_at);

-- One row whose lock makes the brake's count exact.
create table brake (
    only_row boolean primary key default true,
    constraint brake_single check (only_row)
);

insert into brake default values;
