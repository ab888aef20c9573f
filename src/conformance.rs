//! `POST /conformance`: the ports' suite over this Worker's D1 and R2, as a JSON list of results; and
//! `POST /conformance/panic`, which panics. Only under the feature `conformance`.

use bytes::Bytes;
use nexus_functions::conformance::{self, Subject};
use wasm_bindgen::JsValue;
use web_sys::{ReadableStream, Request, RequestInit, Response};
use worker::{Env, Result};

use crate::boundary;
use crate::objects::R2;
use crate::request::{Body, copy};
use crate::sql::D1;

/// Answers the request if it is for the suite.
pub(crate) async fn answer(request: &Request, env: &Env) -> Option<Result<Response>> {
    let url = request.url();
    if request.method() != "POST" {
        return None;
    }
    if url.ends_with("/conformance/panic") {
        fall_over();
    }
    url.ends_with("/conformance").then_some(())?;
    Some(run(env).await)
}

#[expect(clippy::panic, reason = "to see that the Worker comes back")]
fn fall_over() {
    panic!("asked to");
}

async fn run(env: &Env) -> Result<Response> {
    let store =
        Store { sql: D1::new(env.d1("DB_US")?), objects: R2::new(env.bucket("RECORDINGS_US")?) };
    let results = serde_json::to_vec(&conformance::run(&store).await)?;
    Ok(boundary::respond_bytes(200, "content-type\napplication/json", &results)?)
}

struct Store {
    sql: D1,
    objects: R2,
}

impl Subject for Store {
    type Sql = D1;
    type Objects = R2;

    fn sql(&self) -> &D1 {
        &self.sql
    }

    fn objects(&self) -> &R2 {
        &self.objects
    }

    #[expect(clippy::expect_used, reason = "the suite alone runs this, with constants")]
    fn body(&self, bytes: Bytes) -> Body {
        let init = RequestInit::new();
        init.set_method("POST");
        init.set_body(&js_sys::Uint8Array::from(bytes.as_ref()));
        let request = Request::new_with_str_and_init("http://suite/", &init);
        Body::new(request.expect("a constant request"), Some(bytes.len() as u64))
    }

    async fn collect(&self, stream: ReadableStream) -> Result<Bytes, String> {
        let text = |thrown: JsValue| boundary::message(&thrown);
        let response = Response::new_with_opt_readable_stream(Some(&stream)).map_err(text)?;
        let buffer = response.array_buffer().map_err(text)?;
        let buffer = wasm_bindgen_futures::JsFuture::from(buffer).await.map_err(text)?;
        Ok(copy(&buffer))
    }
}
