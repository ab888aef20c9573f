//! A call as JSON.

use nexus_core::time::UnixMs;
use serde_json::{Map, Value, json};

use crate::twilio::call::{Call, now, rfc2822};

/// The resource; numbers that Twilio writes as strings are strings.
pub(super) fn call_json(call: &Call, account_sid: &str) -> Value {
    let progress = call.progress();
    let uri = format!("/2010-04-01/Accounts/{account_sid}/Calls/{}", call.sid);
    let date = |at: Option<UnixMs>| at.map(rfc2822);
    let duration = progress.ended_at.map(|_at| progress.seconds(now()).to_string());
    json!({
        "sid": call.sid, "account_sid": account_sid, "api_version": "2010-04-01",
        "to": call.to, "to_formatted": formatted(&call.to),
        "from": call.from, "from_formatted": formatted(&call.from),
        "status": progress.status.as_str(), "direction": call.direction.as_str(),
        "start_time": date(progress.answered_at), "end_time": date(progress.ended_at),
        "duration": duration, "price": null, "price_unit": "USD",
        "answered_by": progress.answered_by, "caller_name": null, "forwarded_from": null,
        "group_sid": null, "parent_call_sid": null,
        "phone_number_sid": call.sid.replacen("CA", "PN", 1),
        "queue_time": "0", "trunk_sid": null, "annotation": null,
        "date_created": rfc2822(call.created_at),
        "date_updated": rfc2822(progress.ended_at.or(progress.answered_at).unwrap_or(call.created_at)),
        "uri": format!("{uri}.json"), "subresource_uris": subresources(&uri),
    })
}

fn subresources(uri: &str) -> Value {
    let names = [
        "notifications",
        "recordings",
        "payments",
        "events",
        "siprec",
        "streams",
        "transcriptions",
        "user_defined_message_subscriptions",
        "user_defined_messages",
    ];
    let pairs = names.map(|name| {
        let words = name.split('_').map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_ascii_uppercase() + rest
        });
        (name.to_owned(), Value::from(format!("{uri}/{}.json", words.collect::<String>())))
    });
    Value::Object(Map::from_iter(pairs))
}

/// `(555) 123-4567` for a North American number; any other as it is.
fn formatted(number: &str) -> String {
    let parts = number
        .strip_prefix("+1")
        .filter(|digits| digits.len() == 10)
        .and_then(|digits| Some((digits.get(..3)?, digits.get(3..6)?, digits.get(6..)?)));
    match parts {
        Some((area, exchange, line)) => format!("({area}) {exchange}-{line}"),
        None => number.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twilio::call::Direction;

    #[test]
    fn a_new_call_has_every_documented_field() {
        let (from, to) = ("+15551230001".to_owned(), "+4930901820".to_owned());
        let (call, _commands) = Call::new(from, to, Direction::OutboundApi);
        let json = call_json(&call, "AC1");
        assert_eq!(json["from_formatted"], "(555) 123-0001");
        assert_eq!(json["to_formatted"], "+4930901820");
        assert_eq!((&json["status"], &json["queue_time"]), (&json!("queued"), &json!("0")));
        assert_eq!(json["start_time"], Value::Null);
        let streams = format!("/2010-04-01/Accounts/AC1/Calls/{}/Streams.json", call.sid);
        assert_eq!(json["subresource_uris"]["streams"], streams);
        assert_eq!(json.as_object().unwrap().len(), 27);
    }
}
