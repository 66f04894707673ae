-- Who is signed in to the console. Only hashes: whoever reads this table can't take a session over.
create table sessions (
    -- SHA-256 of the 32 random bytes in the cookie.
    id_hash bytea primary key,
    -- How the operator signed in; what is no longer configured ends what it opened.
    kind text not null,
    operator text not null,
    role text not null,
    -- Of the operator's token, mixed with the session's id: whoever gets another token signs in again. Null where no
    -- token opened the session.
    proof bytea,
    -- What every form sends back.
    csrf text not null,
    created_at timestamptz not null default now(),
    -- When something was asked for last; a page that only watches does not count.
    seen_at timestamptz not null default now(),
    expires_at timestamptz not null,
    constraint sessions_kind_known check (kind in ('token', 'oidc'))
);

create index sessions_expired on sessions (expires_at);
