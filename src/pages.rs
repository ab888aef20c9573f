//! The talk page's files: the runtime's static assets (the binding `ASSETS`, which holds what
//! `console/` was built to), with the headers that the API says. Their bytes stay JavaScript streams.

use nexus_functions::config::Config;
use nexus_functions::talk::{self, Talk};
use web_sys::Response;
use worker::{Env, ResponseBody, Result};

use crate::boundary::{respond_bytes, respond_stream};
use crate::response::lines;

/// The answer to a request for the page; `None` if it is for something else or that is not there.
pub(crate) async fn answer<B>(
    env: &Env,
    config: &Config,
    request: &http::Request<B>,
) -> Result<Option<Response>> {
    let head = request.method() == http::Method::HEAD;
    match talk::find(config, request.method(), request.uri()) {
        None => Ok(None),
        Some(Talk::Bytes { headers, .. }) if head => {
            Ok(Some(respond_stream(200, &lines(&headers), None)?))
        }
        Some(Talk::Bytes { headers, bytes }) => {
            Ok(Some(respond_bytes(200, &lines(&headers), &bytes)?))
        }
        Some(Talk::File { path, headers }) => {
            // A deployment without the page has no such binding.
            let Ok(assets) = env.assets("ASSETS") else { return Ok(None) };
            // Only the path counts for the binding.
            let file = assets.fetch(format!("http://assets{path}"), None).await?;
            let ResponseBody::Stream(stream) = file.body() else { return Ok(None) };
            if file.status_code() != 200 {
                return Ok(None);
            }
            let stream = (!head).then(|| stream.clone());
            Ok(Some(respond_stream(200, &lines(&headers), stream)?))
        }
    }
}
