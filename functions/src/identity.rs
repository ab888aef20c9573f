//! Who sends a request: a person by access token, or a voice deployment by signature.

use http::Method;
use nexus_core::account::Role;
use nexus_core::cell::Cell;
use nexus_core::id::{OrgId, SessionId, UserId};
use nexus_core::jws::{Algorithm, JwsError, Unverified, sign_hs256};
use nexus_core::service_auth::{BODY_HASH_HEADER, SIGNATURE_HEADER, ServiceAuthError, Signed};
use nexus_core::time::UnixMs;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::config::Config;
use crate::error::{Kind, Problem};
use crate::exchange::Incoming;
use crate::port::{CellStores, World};

/// The stores of one cell of a world.
pub(crate) type StoresOf<'w, W> = CellStores<'w, <W as World>::Sql, <W as World>::Objects>;

/// How long an access token is valid, in seconds.
pub(crate) const ACCESS_SECONDS: i64 = 900;
const TYP: &str = "at+jwt";

/// A person, as an access token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Person {
    /// Who.
    #[serde(rename = "sub")]
    pub user: UserId,
    /// Of which organisation.
    pub org: OrgId,
    /// By which login.
    #[serde(rename = "sid")]
    pub session: SessionId,
    /// What they may do.
    pub role: Role,
    /// Where the organisation lives.
    pub cell: Cell,
    /// Unix second from which the token is refused.
    pub exp: i64,
}

#[derive(Deserialize)]
struct CellOnly {
    cell: Cell,
}

/// Makes an access token.
pub(crate) fn access_token(config: &Config, person: &Person) -> Result<String, Problem> {
    let (kid, key) = config.access_keys.current();
    sign_hs256(TYP, kid, key.expose(), person).map_err(|error| Problem::internal(error.to_string()))
}

/// The refusal of a missing, wrong or expired access token.
pub(crate) fn refused() -> Problem {
    Problem::new(Kind::InvalidToken, "log in to get a valid access token")
        .header("www-authenticate", "Bearer")
}

fn verify(config: &Config, token: &str, now: UnixMs) -> Result<Person, JwsError> {
    let parsed = Unverified::parse(token)?;
    let kid = parsed.key_id(Algorithm::Hs256, TYP)?;
    let key = config.access_keys.get(kid).ok_or(JwsError::UnknownKey)?;
    let person: Person = parsed.verify_hs256(key.expose())?;
    if now.seconds() >= person.exp { Err(JwsError::Signature) } else { Ok(person) }
}

/// The person behind a request, and the stores of their cell. The token's cell is looked at before
/// its signature: another cell's Worker has other keys, and says 421 rather than 401.
pub(crate) fn person<'w, W: World, B>(
    world: &'w W,
    request: &Incoming<B>,
    least: Role,
) -> Result<(Person, StoresOf<'w, W>), Problem> {
    let token = request
        .header("authorization")
        .and_then(|value| value.split_once(' '))
        // A scheme's name is the same in any case (RFC 9110 §11.1).
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token)
        .ok_or_else(refused)?;
    let cell = Unverified::parse(token)
        .and_then(|parsed| parsed.peek::<CellOnly>())
        .map_err(|_| refused())?
        .cell;
    let stores = stores_of(world, cell)?;
    let person = verify(world.config(), token, world.now()).map_err(|_| refused())?;
    if person.role < least {
        return Err(Problem::new(Kind::Forbidden, "your role does not allow this"));
    }
    Ok((person, stores))
}

/// The stores of `cell`, or 421 with its address.
pub(crate) fn stores_of<W: World>(world: &W, cell: Cell) -> Result<StoresOf<'_, W>, Problem> {
    world.cell(cell).ok_or_else(|| {
        let address = &world.config().addresses(cell).public_url;
        Problem::new(Kind::WrongCell, "this belongs to another cell")
            .with("address", json!(address))
    })
}

/// The stores that a voice deployment's signature opens: those of its key's cell.
pub(crate) fn service<'w, W: World, B>(
    world: &'w W,
    request: &Incoming<B>,
) -> Result<StoresOf<'w, W>, Problem> {
    let refused = || Problem::new(Kind::InvalidSignature, "the signature is missing or wrong");
    let header = request.header(SIGNATURE_HEADER).ok_or_else(refused)?;
    let body_hash = request.header(BODY_HASH_HEADER).ok_or_else(refused)?;
    let method = if request.method == Method::PUT { "PUT" } else { "POST" };
    let signed = Signed { method, path: &request.target, body_hash };
    let now = world.now();
    let keys = &world.config().service_keys;
    let cell = signed
        .verify(header, now, |kid| keys.get(kid).map(|key| (key.cell, key.key.expose())))
        .map_err(|error| match error {
            ServiceAuthError::Clock => {
                Problem::new(Kind::ClockSkew, "sign with the edge's time").with("now", json!(now.0))
            }
            _ => refused(),
        })?;
    stores_of(world, cell)
}
