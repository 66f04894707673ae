-- One row for one person's leaving: the single truth about where it stands. No job table stands beside it.
create table offboardings (
    id uuid primary key,
    status text not null,
    outcome text,
    -- Why it is held, failed or cancelled; a stable word.
    reason text,
    phase text,
    goal text not null default 'offboarded',
    source text not null,
    email text,
    -- The address with ASCII letters folded; null where it has other characters, because those are never compared.
    email_key text,
    external_id text,
    -- Set once, when exactly one user matched; from then on the person is read by this id only.
    genesys_user_id text,
    termination_type text,
    effective_at timestamptz not null,
    -- When somebody may take it: the due time, the next attempt, or the end of the present lease.
    available_at timestamptz not null,
    -- Set while a worker holds the lease. A dead worker's lease simply runs out with available_at.
    lease_token uuid,
    lease_worker text,
    -- Consecutive attempts that made no progress.
    attempt integer not null default 0,
    -- When nobody matched for the first time; a search index may lag behind, so there is a second look.
    not_found_at timestamptz,
    -- When the person was first seen in an interaction that is waited for; the wait is bounded.
    busy_at timestamptz,
    -- Whether the account was inactive before we changed anything.
    found_inactive boolean,
    changes_began_at timestamptz,
    -- Who asked for it, when it was an operator: somebody else has to approve it if it is held.
    requested_by text,
    -- What an approver released it from; such a hold is not repeated.
    approved_reasons text[] not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    completed_at timestamptz,
    constraint offboardings_status_known check (status in ('scheduled', 'held', 'done', 'failed', 'cancelled')),
    constraint offboardings_phase_known check (phase in ('strip', 'deactivate')),
    constraint offboardings_goal_known check (goal in ('offboarded', 'restored')),
    constraint offboardings_lease_only_while_scheduled check (lease_token is null or status = 'scheduled'),
    constraint offboardings_held_has_reason check (status not in ('held', 'failed', 'cancelled') or reason is not null)
);

create index offboardings_due on offboardings (available_at) where status = 'scheduled';
create index offboardings_newest on offboardings (created_at desc, id desc);

-- One open offboarding per person, by address and by the source's own id.
create unique index offboardings_one_open_per_email on offboardings (email_key)
    where status in ('scheduled', 'held') and email_key is not null;
create unique index offboardings_one_open_per_external_id on offboardings (source, external_id)
    where status in ('scheduled', 'held') and external_id is not null;

create index offboardings_by_user on offboardings (genesys_user_id) where status in ('scheduled', 'held');

-- Claims are planned from statistics; a table that has just been filled must not wait for the default thresholds.
alter table offboardings set (autovacuum_vacuum_scale_factor = 0.01, autovacuum_analyze_scale_factor = 0.01);
