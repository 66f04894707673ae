-- Sign-ins that are under way at the issuer of OpenID Connect. A row is taken by the first return, and by none after ten minutes.
create table sign_ins (
    -- SHA-256 of what the browser keeps in its cookie: who reads this table can't take up anybody's sign-in.
    id_hash bytea not null,
    -- SHA-256 of the state that the issuer hands back.
    state_hash bytea not null,
    -- Has to stand in the id token.
    nonce text not null,
    -- Of PKCE; useless without the code.
    code_verifier text not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    constraint sign_ins_pkey primary key (id_hash)
);

create index sign_ins_by_age on sign_ins (created_at);

-- Under which name the journal knows an account of the issuer. Names can change and be given again, subjects can't: without
-- this, one person could be two by a new name, and two people one by an old one.
create table oidc_people (
    issuer text not null,
    subject text not null,
    name text not null,
    signed_in_at timestamptz not null default now(),
    constraint oidc_people_pkey primary key (issuer, subject)
);

-- Operators' names are unique without regard to case.
create unique index oidc_people_by_name on oidc_people (lower(name));
