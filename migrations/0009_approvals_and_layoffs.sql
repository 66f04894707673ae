-- Approvals as rows with an end, the brake's page, and layoffs that are planned in advance.

-- What approvers released an offboarding from; the newest of each reason. The journal keeps all of them.
create table approvals (
    offboarding_id uuid not null constraint approvals_offboarding references offboardings (id),
    reason text not null,
    approved_by text not null,
    approved_at timestamptz not null default now(),
    -- It counts where it was valid at the first change: before that until this moment, from then on for good.
    expires_at timestamptz not null,
    -- SHA-256 over the ids that were approved together, sorted, each with a line feed, and how many they were.
    set_digest bytea not null,
    set_size integer not null,
    constraint approvals_pkey primary key (offboarding_id, reason)
);

-- The column stays for replicas of the version before; this version neither reads nor fills it.
insert into approvals (offboarding_id, reason, approved_by, expires_at, set_digest, set_size)
select distinct o.id, released.reason,
    coalesce((select j.actor from journal j
              where j.offboarding_id = o.id and j.action = 'approved' and j.result = released.reason
              order by j.seq desc limit 1), 'unknown'),
    greatest(now(), coalesce(o.changes_began_at, now())) + interval '1 hour',
    sha256(convert_to(o.id::text || E'\n', 'UTF8')), 1
from offboardings o cross join unnest(o.approved_reasons) as released (reason);

-- A layoff that was planned: whom the brake lets through, when, and how many of them.
create table layoffs (
    id uuid primary key,
    requested_by text not null,
    -- The requester's words.
    why text not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    count_max integer not null,
    -- SHA-256 over the list's lines: the approver names it, and so approves this list and no other.
    list_digest bytea not null,
    list_size integer not null,
    created_at timestamptz not null default now(),
    approved_by text,
    approved_at timestamptz,
    cancelled_by text,
    cancelled_at timestamptz,
    constraint layoffs_window check (starts_at < ends_at),
    constraint layoffs_approval_whole check ((approved_by is null) = (approved_at is null)),
    constraint layoffs_cancellation_whole check ((cancelled_by is null) = (cancelled_at is null))
);

-- Who is on the list, each by one name.
create table layoff_people (
    layoff_id uuid not null constraint layoff_people_layoff references layoffs (id),
    email_key text,
    source text,
    external_id text,
    genesys_user_id text,
    constraint layoff_people_one_name check (num_nonnulls(email_key, external_id, genesys_user_id) = 1),
    constraint layoff_people_id_of_source check ((source is null) = (external_id is null))
);

create index layoff_people_by_layoff on layoff_people (layoff_id);

-- Whoever is changed under a layoff counts against it, and not against the hour and the day.
alter table changed_people
    add column layoff_id uuid constraint changed_people_layoff references layoffs (id);

create index changed_people_by_layoff on changed_people (layoff_id) where layoff_id is not null;

-- When the on-call desk was told last that the brake has tripped.
alter table brake add column paged_at timestamptz;
