-- What the readiness probe writes: a database that answers reads and takes no writes is not ready.
create table readiness_probe (
    only_row boolean primary key default true,
    probed_at timestamptz not null default now(),
    constraint readiness_probe_single check (only_row)
);

insert into readiness_probe default values;
