-- Tokens that senders post before their first event, for an operator to confirm at the sender. In the clear, because the
-- operator has to read them; the first authentic delivery of the source deletes them.
create table verification_tokens (
    source text not null,
    token text not null,
    received_at timestamptz not null default now(),
    -- Of the last hop, where it is known.
    remote_address text,
    constraint verification_tokens_pkey primary key (source, token)
);

-- When each key of a source was used last.
create index events_by_key on events (source, key_index, received_at);
