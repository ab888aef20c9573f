//! GlobalVoice Nexus at the edge: the API as a Cloudflare Worker.
//!
//! Everything here adapts: JavaScript requests to `http` ones, D1 and R2 to the ports. What the API does
//! stands in `functions/`. The border between JavaScript and WebAssembly is crossed as seldom as can be.

mod boundary;
#[cfg(feature = "conformance")]
mod conformance;
mod log;
mod objects;
mod pages;
mod request;
mod response;
mod sql;
mod world;

use nexus_functions::error::{Kind, Problem};
use nexus_functions::port::{Level, World as _};
use web_sys::{Request, Response};
use worker::{Context, Env, Result, ScheduleContext, ScheduledEvent, event};

use crate::world::Misconfigured;

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> Result<Response> {
    #[cfg(feature = "conformance")]
    if let Some(answer) = conformance::answer(&request, &env).await {
        return answer;
    }
    let world = match world::world(&env) {
        Ok(world) => world,
        Err(fault) => return refuse_all(&fault),
    };
    let Some(request) = request::read(request) else {
        return refuse(&Problem::new(Kind::BadRequest, "the request's target is malformed"));
    };
    if let Some(page) = pages::answer(&env, world.config(), &request).await? {
        return Ok(page);
    }
    response::write(nexus_functions::handle(world.as_ref(), request).await)
}

/// Every minute, by cron: what no request is there to do.
#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, env: Env, _context: ScheduleContext) {
    match world::world(&env) {
        Ok(world) => {
            let swept = nexus_functions::sweep(world.as_ref()).await;
            if swept.lost + swept.unanswered + swept.sealed > 0 {
                log::write(Level::Info, "swept", "", &format!("{swept:?}"));
            }
        }
        Err(Misconfigured(detail)) => log::write(Level::Error, "misconfigured", "", &detail),
    }
}

/// The answer to every request while the configuration is wrong.
fn refuse_all(Misconfigured(detail): &Misconfigured) -> Result<Response> {
    log::write(Level::Error, "misconfigured", "", detail);
    refuse(&Problem::new(Kind::Unavailable, "this deployment is not configured"))
}

/// A problem of a request that the API never saw, and so without an id.
fn refuse(problem: &Problem) -> Result<Response> {
    let headers = "content-type\napplication/problem+json\ncache-control\nno-store";
    Ok(boundary::respond_bytes(problem.kind.status(), headers, &problem.body(""))?)
}
