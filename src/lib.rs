//! GlobalVoice Nexus at the edge: the API as a Cloudflare Worker.

use worker::{Context, Env, Result, ScheduleContext, ScheduledEvent, event, web_sys};

#[event(fetch)]
async fn fetch(_request: web_sys::Request, _env: Env, _context: Context) -> Result<web_sys::Response> {
    web_sys::Response::new_with_opt_str(Some("{\"status\":\"ok\"}")).map_err(Into::into)
}

#[event(scheduled)]
async fn scheduled(_event: ScheduledEvent, _env: Env, _context: ScheduleContext) {}
