//! Sign-ins under way at an issuer of OpenID Connect, and under which name the journal knows whoever comes back.

use super::{Store, StoreError, Tx, in_transaction};

/// Rows that are kept, the newest: anybody who reaches the console may begin to sign in, and nobody may fill the table.
const SIGN_INS_MAX: i64 = 10_000;

/// The key of the lock under which names are given.
const NAMES_LOCK: i64 = 0x006f_6964_635f_6e61;

/// A sign-in that has begun. Secrets are kept as SHA-256 where they only have to be compared.
#[derive(Clone)]
pub struct SignIn {
    /// Of what the browser keeps.
    pub id_hash: [u8; 32],
    /// Of the state.
    pub state_hash: [u8; 32],
    /// Has to stand in the id token.
    pub nonce: String,
    /// Of PKCE.
    pub code_verifier: String,
    /// The page that is to be shown at the end.
    pub wanted: String,
}

/// What a return from the issuer needs of its beginning.
pub struct TakenSignIn {
    /// Of the state.
    pub state_hash: Vec<u8>,
    /// Has to stand in the id token.
    pub nonce: String,
    /// Of PKCE.
    pub code_verifier: String,
    /// The page that is to be shown at the end.
    pub wanted: String,
}

/// How the journal calls an account of the issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameGiven {
    /// By this name, the first that the account came with.
    Known(String),
    /// Not at all: another account has the name.
    Taken,
    /// Not at all: the account has acted under another name, and the configuration now gives it this one.
    Otherwise,
}

/// Where the name of an account comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFrom {
    /// The issuer: it counts the first time only.
    Claim,
    /// The configuration, which says that it is the name of this person: it counts unless the account has another already.
    Configuration,
}

impl Store {
    /// Keeps a sign-in for ten minutes.
    pub async fn begin_sign_in(&self, sign_in: SignIn) -> Result<(), StoreError> {
        in_transaction(&self.operators, move |tx| {
            let sign_in = sign_in.clone();
            Box::pin(async move { begin(tx, &sign_in).await })
        })
        .await
    }

    /// Takes the sign-in of a browser, once.
    pub async fn take_sign_in(&self, id_hash: [u8; 32]) -> Result<Option<TakenSignIn>, StoreError> {
        in_transaction(&self.operators, move |tx| {
            Box::pin(async move {
                let row = sqlx::query!(
                    // take_sign_in
                    r#"delete from sign_ins where id_hash = $1
                       returning state_hash, nonce, code_verifier, wanted, expires_at > now() as "in_time!""#,
                    id_hash.as_slice()
                )
                .fetch_optional(&mut **tx)
                .await?;
                Ok(row.filter(|row| row.in_time).map(|row| TakenSignIn {
                    state_hash: row.state_hash,
                    nonce: row.nonce,
                    code_verifier: row.code_verifier,
                    wanted: row.wanted,
                }))
            })
        })
        .await
    }

    /// The name of an account in the journal. Whoever has one keeps it, whatever name the issuer gives later.
    pub async fn name_of_account(
        &self,
        issuer: &str,
        subject: &str,
        name: &str,
        from: NameFrom,
    ) -> Result<NameGiven, StoreError> {
        let (issuer, subject, name) = (issuer.to_owned(), subject.to_owned(), name.to_owned());
        in_transaction(&self.operators, move |tx| {
            let (issuer, subject, name) = (issuer.clone(), subject.clone(), name.clone());
            Box::pin(async move { give_name(tx, &issuer, &subject, &name, from).await })
        })
        .await
    }
}

async fn begin(tx: Tx<'_>, sign_in: &SignIn) -> Result<(), StoreError> {
    sqlx::query!(
        // begin_sign_in
        "insert into sign_ins (id_hash, state_hash, nonce, code_verifier, wanted, expires_at)
         values ($1, $2, $3, $4, $5, now() + interval '10 minutes')",
        sign_in.id_hash.as_slice(),
        sign_in.state_hash.as_slice(),
        sign_in.nonce,
        sign_in.code_verifier,
        sign_in.wanted,
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        // drop_old_sign_ins: skip locked, because two that begin together delete the same rows
        "delete from sign_ins where id_hash in (
             select id_hash from sign_ins
             where expires_at <= now()
                 or created_at < (select created_at from sign_ins order by created_at desc offset $1 limit 1)
             for update skip locked)",
        SIGN_INS_MAX - 1,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn give_name(
    tx: Tx<'_>,
    issuer: &str,
    subject: &str,
    name: &str,
    from: NameFrom,
) -> Result<NameGiven, StoreError> {
    // One at a time: two accounts that come with one name for the first time must not both have it.
    sqlx::query!(
        // lock_names
        "select pg_advisory_xact_lock($1)",
        NAMES_LOCK
    )
    .execute(&mut **tx)
    .await?;
    let known = sqlx::query_scalar!(
        // name_of_account
        "select name from oidc_people where issuer = $1 and subject = $2",
        issuer,
        subject
    )
    .fetch_optional(&mut **tx)
    .await?;
    if let Some(known) = known {
        // Whoever acted under one name must not come back under another: who asked and who approves are told apart by names.
        let keeps = from == NameFrom::Claim || known == name;
        return Ok(if keeps { NameGiven::Known(known) } else { NameGiven::Otherwise });
    }
    let taken = sqlx::query_scalar!(
        // name_is_taken
        r#"select exists (select from oidc_people where lower(name) = lower($1)) as "taken!""#,
        name
    )
    .fetch_one(&mut **tx)
    .await?;
    if taken {
        return Ok(NameGiven::Taken);
    }
    sqlx::query!(
        // give_name
        "insert into oidc_people (issuer, subject, name) values ($1, $2, $3)",
        issuer,
        subject,
        name
    )
    .execute(&mut **tx)
    .await?;
    Ok(NameGiven::Known(name.to_owned()))
}
