-- Asking the HRIS: where an event says only that something changed, and again at the moment a termination takes effect.

alter table offboardings
    -- When the HRIS is to be asked because an event or a failure wants it; null: nobody waits for an answer. Whoever
    -- takes it moves it ahead, so that a process that ends in between is followed by another.
    add column look_up_at timestamptz,
    -- Look-ups in a row that brought no answer.
    add column look_up_attempt integer not null default 0,
    -- The last answer that said the person leaves at effective_at.
    add column looked_up_at timestamptz,
    -- Since when answers say that the person stays; they are believed at a second look, as records lag behind events.
    add column stays_at timestamptz;

create index offboardings_to_look_up on offboardings (look_up_at)
    where status in ('scheduled', 'held') and look_up_at is not null;

-- The next moment at which a source's HRIS may be asked, for all replicas together.
create table look_up_pace (
    source text primary key,
    next_at timestamptz not null
);

-- Whether the HRIS has to be asked before anything is changed. A withdrawn termination often sends no event at all, so an
-- answer counts only from the effective moment on, and not for long. What an approver released needs no answer.
create function wants_look_up(o offboardings, asked_sources text[]) returns boolean
    language sql stable
    return o.goal = 'offboarded' and o.changes_began_at is null and o.source = any(asked_sources)
        and not (o.looked_up_at is not null and o.looked_up_at >= o.effective_at
                 and o.looked_up_at > now() - interval '15 minutes')
        and not exists (select from approvals a
                        where a.offboarding_id = o.id and a.reason = 'lookup_required' and a.expires_at > now());
