//! A request of Twilio's. Nothing of it counts, and no database is asked, before its signature is
//! verified with the account of a cell. The signature is over the configured address, never `Host`.

use nexus_core::cell::Cell;
use nexus_core::twilio::Form;
use nexus_core::twilio::signature::{Content, SETTINGS_HEADER, SIGNATURE_HEADER, SignedRequest};

use crate::config::{TwilioAccount, is_sid};
use crate::error::{Kind, Problem};
use crate::exchange::Incoming;
use crate::identity::{StoresOf, stores_of};
use crate::port::{RequestBody, World};

/// A verified webhook.
pub(crate) struct Webhook<'w, W: World> {
    /// The request without its body.
    pub(crate) head: Incoming<()>,
    /// Its fields.
    pub(crate) form: Form,
    /// The cells whose account has signed it; one at least.
    pub(crate) cells: Vec<StoresOf<'w, W>>,
}

fn forged() -> Problem {
    Problem::new(Kind::ForgedWebhook, "the signature is not that of a configured account")
}

/// The cells that a request may be for, and their accounts: the one that it names, or all.
fn candidates<'w, W: World, B>(
    world: &'w W,
    request: &Incoming<B>,
) -> Result<Vec<(StoresOf<'w, W>, &'w TwilioAccount)>, Problem> {
    let cells = match request.query("cell") {
        Some(text) => {
            let bad = |_| Problem::new(Kind::BadRequest, "cell is us or eu");
            vec![stores_of(world, text.parse().map_err(bad)?)?]
        }
        None => Cell::ALL.into_iter().filter_map(|cell| world.cell(cell)).collect(),
    };
    let with_account = |stores: StoresOf<'w, W>| {
        world.config().twilio(stores.cell).map(|account| (stores, account))
    };
    Ok(cells.into_iter().filter_map(with_account).collect())
}

impl<'w, W: World> Webhook<'w, W> {
    /// Reads and verifies a request: 400 without a signature, 403 with another one than ours, 503
    /// where no account is configured.
    pub(crate) async fn verified(
        world: &'w W,
        request: Incoming<W::Body>,
        limit: usize,
    ) -> Result<Self, Problem> {
        let head = request.head();
        let Some(signature) = head.header(SIGNATURE_HEADER) else {
            return Err(Problem::new(Kind::BadRequest, "X-Twilio-Signature is missing"));
        };
        let candidates = candidates(world, &head)?;
        if candidates.is_empty() {
            let detail = "this deployment has no Twilio account configured";
            return Err(Problem::new(Kind::Unavailable, detail));
        }
        let form = Form::parse(&request.body.bytes(limit).await?);
        let settings = head.header(SETTINGS_HEADER);
        let signed = |cell: Cell, account: &TwilioAccount| {
            let url = format!("{}{}", world.config().addresses(cell).public_url, head.target);
            let request = SignedRequest { url: &url, content: Content::Form(&form) };
            let sid = account.sid.as_deref();
            request.verify(Some(signature), settings, &account.keys).is_ok()
                && sid.is_none_or(|sid| form.get("AccountSid") == Some(sid))
        };
        let cells: Vec<_> = candidates
            .into_iter()
            .filter(|(stores, account)| signed(stores.cell, account))
            .map(|(stores, _)| stores)
            .collect();
        if cells.is_empty() { Err(forged()) } else { Ok(Self { head, form, cells }) }
    }

    /// The stores of `cell`: 421 if they are elsewhere, 403 if its account has not signed this.
    pub(crate) fn cell(&self, world: &'w W, cell: Cell) -> Result<&StoresOf<'w, W>, Problem> {
        stores_of(world, cell)?;
        self.cells.iter().find(|stores| stores.cell == cell).ok_or_else(forged)
    }

    /// Twilio's name of the line.
    pub(crate) fn call_sid(&self) -> Result<&str, Problem> {
        let sid = self.form.get("CallSid").filter(|sid| is_sid("CA", sid));
        sid.ok_or_else(|| Problem::new(Kind::BadRequest, "CallSid is missing or malformed"))
    }

    /// The request's name in the log.
    pub(crate) fn name(&self) -> String {
        self.head.id.to_string()
    }
}
