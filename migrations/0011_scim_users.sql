-- The users that SCIM clients have provisioned: what a client is shown again, and whether each was active, because only a
-- change of that is an event.
create table scim_users (
    id uuid primary key,
    source text not null,
    -- userName with ASCII letters folded: it is compared without case (RFC 7643, 4.1.1), and Unicode folding makes
    -- different people equal.
    user_name_key text not null,
    user_name text not null,
    external_id text,
    active boolean not null,
    -- What the last change to inactive led to, and whom it named: {"led_to", "email", "external_id"}. Null while active,
    -- and for whoever was never active here.
    deactivation jsonb,
    -- Counts the changes; with the id it names the event of a change.
    version bigint not null default 1,
    -- Every attribute as the client wrote it, except id, schemas, meta and passwords.
    resource jsonb not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint scim_users_one_per_name unique (source, user_name_key),
    constraint scim_users_deactivation_while_inactive check (deactivation is null or not active)
);

create index scim_users_by_external_id on scim_users (source, external_id) where external_id is not null;
create index scim_users_listed on scim_users (source, id);
