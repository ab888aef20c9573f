//! Accounts: registration, login, refresh tokens, logout.
//!
//! No answer, and no answer's time, tells whether an address has an account.

mod address;
mod leftovers;
mod password;
mod refresh_token;

use http::StatusCode;
use nexus_core::account::{Email, OrgName, Password, Role};
use nexus_core::cell::Cell;
use nexus_core::id::{OrgId, RegistrationId, SessionId, UserId};
use nexus_core::time::{Timestamp, UnixMs};
use serde::{Deserialize, Serialize};

use self::address::AddressHash;
pub(crate) use self::leftovers::forget_leftovers;
use self::password::Verdict;
use self::refresh_token::{RefreshToken, times};
use crate::error::{Kind, Problem};
use crate::exchange::Answer;
use crate::identity::{self, ACCESS_SECONDS, Person};
use crate::orgs::OrgView;
use crate::port::{Answers, CellStores, Level, Sql, World};
use crate::store::accounts::{AccountRow, NewAccount};
use crate::store::directory::Place;
use crate::store::sessions::{Ended, Holder};
use crate::store::{accounts, directory, sessions};

/// `POST /api/auth/register`.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct RegisterRequest {
    /// The owner's address; one address belongs to one organisation.
    email: String,
    /// 12 to 128 characters, taken as they are.
    password: String,
    /// 1 to 100 characters.
    org_name: String,
    /// Where the organisation's data lives; never changed.
    cell: Cell,
}

/// What a registration answers, whether or not the address was free: nothing. Log in.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct Registered {}

/// `POST /api/auth/login`.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginRequest {
    email: String,
    password: String,
}

/// `POST /api/auth/refresh` and `POST /api/auth/logout`.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(crate) struct RefreshRequest {
    /// The newest one that you hold.
    refresh_token: String,
}

/// A pair of tokens.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct Tokens {
    /// For the `Authorization: Bearer` header.
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// How long the access token is valid, in seconds.
    expires_in: i64,
    /// Buys the next pair, once; keep it secret.
    refresh_token: String,
}

/// A person.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct UserView {
    id: UserId,
    email: String,
    role: Role,
    created_at: Timestamp,
}

/// A pair of tokens, and whose they are.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct LoggedIn {
    #[serde(flatten)]
    tokens: Tokens,
    #[serde(flatten)]
    who: Who,
}

/// A person and their organisation.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct Who {
    user: UserView,
    org: OrgView,
}

impl Who {
    fn of(row: AccountRow, cell: Cell) -> Self {
        Self {
            user: UserView {
                id: row.user_id,
                email: row.email,
                role: row.role,
                created_at: Timestamp(row.user_created_at),
            },
            org: OrgView {
                id: row.org_id,
                name: row.org_name,
                cell,
                created_at: Timestamp(row.org_created_at),
            },
        }
    }
}

fn email(text: &str) -> Result<Email, Problem> {
    Email::try_from(text).map_err(|error| Problem::invalid("email", error.to_string()))
}

/// `POST /api/auth/register`, in the steps that the directory and the cell need to agree without a
/// common transaction: take the address, write the account, confirm the address. What an
/// interruption leaves is unreachable, and the next try takes the address over.
pub(crate) async fn register<W: World>(
    world: &W,
    request: RegisterRequest,
) -> Result<Answer<W::Stream>, Problem> {
    let email = email(&request.email)?;
    let password = Password::to_set(&request.password)
        .map_err(|error| Problem::invalid("password", error.to_string()))?;
    let org_name = OrgName::try_from(request.org_name.as_str())
        .map_err(|error| Problem::invalid("org_name", error.to_string()))?;
    let stores = identity::stores_of(world, request.cell)?;
    let password = password::store(world, &password).await;
    let now = world.now();
    let h = AddressHash::of(&world.config().directory_key, &email).text();
    let account = NewAccount {
        reg: RegistrationId::new(now, world.random()),
        org: OrgId::new(now, world.random()),
        org_name: org_name.as_str(),
        user: UserId::new(now, world.random()),
        email: email.as_str(),
        password: &password,
        now,
    };
    enrol(world, &stores, &h, account).await?;
    Answer::json(StatusCode::CREATED, &Registered {})
}

/// The three steps. A taken address costs the same batches, each a write too.
async fn enrol<W: World>(
    world: &W,
    stores: &CellStores<'_, W::Sql, W::Objects>,
    h: &str,
    account: NewAccount<'_>,
) -> Result<(), Problem> {
    let (reg, now) = (account.reg, account.now);
    let with_stir = |statement| {
        let [insert, delete] = directory::stir(reg, now);
        vec![statement, insert, delete]
    };
    let reserve = directory::reserve(h, stores.cell, reg, now);
    let rows = world.directory().batch(with_stir(reserve)).await?;
    let ours = rows.row::<Registration>(0)?.is_some();
    if ours {
        stores.sql.batch(accounts::insert(&account).to_vec()).await?;
    } else {
        // Nothing of the person is written where they may not live.
        let nobody = NewAccount { org_name: "", email: "", password: "", ..account };
        let mut batch = accounts::insert(&nobody).to_vec();
        batch.extend(accounts::remove(reg));
        stores.sql.batch(batch).await?;
    }
    let rows = world.directory().batch(with_stir(directory::confirm(h, reg, now))).await?;
    let confirmed = rows.row::<Registration>(0)?.is_some();
    if ours && !confirmed {
        stores.sql.batch(accounts::remove(reg).to_vec()).await?;
    }
    Ok(())
}

/// A registration that a statement matched.
#[derive(Deserialize)]
struct Registration {
    #[expect(dead_code, reason = "that there is one is the answer")]
    reg: RegistrationId,
}

/// `POST /api/auth/login`.
pub(crate) async fn login<W: World>(
    world: &W,
    request: LoginRequest,
) -> Result<Answer<W::Stream>, Problem> {
    let email = email(&request.email)?;
    let password = Password::to_check(&request.password)
        .map_err(|error| Problem::invalid("password", error.to_string()))?;
    let hash = AddressHash::of(&world.config().directory_key, &email);
    let rows = world.directory().batch(vec![directory::find(&hash.text())]).await?;
    let now = world.now();
    // An unknown address goes the same way: to its decoy cell, to a registration that is not there.
    let place = rows.row::<Place>(0)?.unwrap_or_else(|| Place {
        cell: hash.decoy_cell(),
        reg: RegistrationId::new(now, world.random()),
    });
    let stores = identity::stores_of(world, place.cell)?;
    let rows = stores.sql.batch(vec![accounts::by_registration(place.reg)]).await?;
    let account = rows.row::<AccountRow>(0)?;
    let stored = account.as_ref().map(|account| account.password.as_str());
    let verdict = password::verify(world, &password, stored).await;
    let Some(account) = account.filter(|_| verdict != Verdict::Wrong) else {
        let detail = "the address or the password is wrong";
        return Err(Problem::new(Kind::InvalidCredentials, detail));
    };
    let session = SessionId::new(now, world.random());
    let token = RefreshToken::new(stores.cell, world.random());
    let (org, user) = (account.org_id, account.user_id);
    let mut batch = sessions::open(org, user, session, &token.hash(), &times(now)).to_vec();
    if verdict == Verdict::Outdated {
        let fresh = password::store(world, &password).await;
        batch.push(accounts::set_password(org, user, &account.password, &fresh));
    }
    stores.sql.batch(batch).await?;
    let holder = Holder { session_id: session, user_id: user, org_id: org, role: account.role };
    let tokens = tokens(world, token, holder, now)?;
    Answer::json(StatusCode::OK, &LoggedIn { tokens, who: Who::of(account, stores.cell) })
}

fn tokens<W: World>(
    world: &W,
    token: RefreshToken,
    holder: Holder,
    now: UnixMs,
) -> Result<Tokens, Problem> {
    let person = Person {
        user: holder.user_id,
        org: holder.org_id,
        session: holder.session_id,
        role: holder.role,
        cell: token.cell(),
        exp: now.seconds() + ACCESS_SECONDS,
    };
    Ok(Tokens {
        access_token: identity::access_token(world.config(), &person)?,
        token_type: "Bearer",
        expires_in: ACCESS_SECONDS,
        refresh_token: token.into_text(),
    })
}

/// `POST /api/auth/refresh`: trades a refresh token for the next one. Single use: one that comes
/// again ends the login, because two hold it. For ten seconds the token before the newest may come
/// once more instead, from a client that never got the answer.
pub(crate) async fn refresh<W: World>(
    world: &W,
    request: RefreshRequest,
) -> Result<Answer<W::Stream>, Problem> {
    let refused = || Problem::new(Kind::InvalidCredentials, "log in again");
    let old = RefreshToken::parse(request.refresh_token).ok_or_else(refused)?;
    let stores = identity::stores_of(world, old.cell())?;
    let new = RefreshToken::new(stores.cell, world.random());
    let now = world.now();
    let statements = sessions::rotate(&old.hash(), &new.hash(), &times(now));
    let rows = stores.sql.batch(statements).await?;
    if let Some(ended) = rows.row::<Ended>(3)? {
        world.log(Level::Warn, "refresh_token_reused", "", &ended.id.to_string());
    }
    let holder = rows.row::<Holder>(4)?.ok_or_else(refused)?;
    Answer::json(StatusCode::OK, &tokens(world, new, holder, now)?)
}

/// `POST /api/auth/logout`: ends the login. The same answer whether or not there was one.
pub(crate) async fn logout<W: World>(
    world: &W,
    request: RefreshRequest,
) -> Result<Answer<W::Stream>, Problem> {
    if let Some(token) = RefreshToken::parse(request.refresh_token) {
        let stores = identity::stores_of(world, token.cell())?;
        stores.sql.batch(vec![sessions::close(&token.hash(), world.now())]).await?;
    }
    Ok(Answer::no_content())
}

/// `GET /api/auth/me`: who is logged in; 401 once the login has ended, though the token still runs.
pub(crate) async fn me<T>(sql: &impl Sql, person: &Person) -> Result<Answer<T>, Problem> {
    let statement = accounts::by_session(person.org, person.user, person.session);
    let rows = sql.batch(vec![statement]).await?;
    let account = rows.row::<AccountRow>(0)?.ok_or_else(identity::refused)?;
    Answer::json(StatusCode::OK, &Who::of(account, person.cell))
}
