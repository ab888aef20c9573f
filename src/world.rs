//! What handlers reach of the Worker: [`World`] over its bindings.

use std::cell::OnceCell;
use std::rc::Rc;

use nexus_core::cell::Cell;
use nexus_core::time::UnixMs;
use nexus_functions::Argon2;
use nexus_functions::config::{Config, Settings};
use nexus_functions::port::{CellStores, Level, World};
use web_sys::ReadableStream;
use worker::Env;

use crate::objects::R2;
use crate::request::Body;
use crate::sql::D1;
use crate::{boundary, log};

/// Everything that an isolate has for its whole life: an isolate runs one version of the Worker, with the
/// bindings and variables of that version.
#[derive(Debug)]
pub(crate) struct Edge {
    config: Config,
    directory: D1,
    us: Option<Stores>,
    eu: Option<Stores>,
    hasher: Argon2,
}

#[derive(Debug)]
struct Stores {
    sql: D1,
    objects: R2,
}

thread_local! {
    static EDGE: OnceCell<Rc<Edge>> = const { OnceCell::new() };
}

/// Why the Worker cannot serve; names what is wrong, shows no value.
#[derive(Debug)]
pub(crate) struct Misconfigured(pub(crate) String);

/// The isolate's world, made by its first event.
pub(crate) fn world(env: &Env) -> Result<Rc<Edge>, Misconfigured> {
    if let Some(edge) = EDGE.with(|cell| cell.get().cloned()) {
        return Ok(edge);
    }
    let edge = Rc::new(open(env)?);
    Ok(EDGE.with(|cell| cell.get_or_init(|| edge).clone()))
}

fn open(env: &Env) -> Result<Edge, Misconfigured> {
    let config = Config::read(&Bindings(env)).map_err(|error| Misconfigured(error.to_string()))?;
    let directory = env
        .d1("DIRECTORY")
        .map(D1::new)
        .map_err(|error| Misconfigured(format!("the database DIRECTORY is not bound: {error}")))?;
    let edge = Edge {
        config,
        directory,
        us: stores(env, Cell::Us),
        eu: stores(env, Cell::Eu),
        hasher: Argon2::default(),
    };
    if edge.us.is_none() && edge.eu.is_none() {
        return Err(Misconfigured("no cell has both its database and its bucket bound".to_owned()));
    }
    Ok(edge)
}

/// The stores of `cell`, if this Worker is bound to both.
fn stores(env: &Env, cell: Cell) -> Option<Stores> {
    let suffix = cell.suffix();
    let sql = D1::new(env.d1(&format!("DB_{suffix}")).ok()?);
    let objects = R2::new(env.bucket(&format!("RECORDINGS_{suffix}")).ok()?);
    Some(Stores { sql, objects })
}

/// The Worker's variables and secrets.
struct Bindings<'a>(&'a Env);

impl Settings for Bindings<'_> {
    fn get(&self, name: &str) -> Option<String> {
        self.0.var(name).ok().map(|value| value.to_string())
    }
}

impl World for Edge {
    type Sql = D1;
    type Objects = R2;
    type Body = Body;
    type Stream = ReadableStream;
    type Hasher = Argon2;

    fn now(&self) -> UnixMs {
        UnixMs(js_sys::Date::now() as i64)
    }

    fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        boundary::fill_random(&mut bytes);
        bytes
    }

    fn config(&self) -> &Config {
        &self.config
    }

    fn directory(&self) -> &D1 {
        &self.directory
    }

    fn cell(&self, cell: Cell) -> Option<CellStores<'_, D1, R2>> {
        let stores = match cell {
            Cell::Us => self.us.as_ref(),
            Cell::Eu => self.eu.as_ref(),
        };
        stores.map(|stores| CellStores { cell, sql: &stores.sql, objects: &stores.objects })
    }

    fn hasher(&self) -> &Argon2 {
        &self.hasher
    }

    fn log(&self, level: Level, event: &'static str, request_id: &str, detail: &str) {
        log::write(level, event, request_id, detail);
    }
}
