-- What operators' requests with an `Idempotency-Key` came to, so that the same request again is answered and not carried out
-- again. An answer may name people: it is as personal as the offboarding that it shows. Nothing here outlives 24 hours; every
-- serving process deletes what is older, and so does every new key.
create table idempotency_keys (
    -- Two operators never see each other's answers.
    operator text not null,
    key text not null,
    -- SHA-256 of method, path, query and body.
    request_digest bytea not null,
    -- Whoever carries the request out now. The action's own transaction writes `carried_out_at` under it or fails, so that a
    -- slow process that has been followed by another one can't act any more.
    claim uuid not null,
    -- The first of these claims. What is created under the key takes its id from it and so is found again.
    first_claim uuid not null,
    -- When another process may carry it out: this one has crashed, or is slower than any answer may be.
    claimed_until timestamptz not null,
    -- Committed together with what was asked for.
    carried_out_at timestamptz,
    -- The answer; none while the request is carried out, nor after a crash in the middle.
    status smallint,
    content_type text,
    body bytea,
    created_at timestamptz not null default now(),
    constraint idempotency_keys_pkey primary key (operator, key),
    constraint idempotency_keys_answer_whole check ((status is null) = (body is null))
);

create index idempotency_keys_by_age on idempotency_keys (created_at);
create index idempotency_keys_by_claim on idempotency_keys (claim);
