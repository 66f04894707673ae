-- The switch over all replicas: while the service is paused, no intention of a changing call is written.
create table pause (
    only_row boolean primary key default true,
    paused boolean not null default false,
    -- Since when it is as it is, and who moved it last; null until somebody does.
    since timestamptz,
    moved_by text,
    -- Why the service is paused.
    reason text,
    constraint pause_single check (only_row),
    constraint pause_says_why check (paused = (reason is not null)),
    constraint pause_says_who check (num_nulls(since, moved_by) = 0 or (not paused and num_nonnulls(since, moved_by) = 0))
);

insert into pause default values;
