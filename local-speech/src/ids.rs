//! Request ids in the form that the services give them.

use std::time::{SystemTime, UNIX_EPOCH};

use nexus_core::time::{Timestamp, UnixMs};

/// 32 random hexadecimal digits in a UUID's groups. Only uniqueness is asked of it.
pub(crate) fn request_id() -> String {
    let mut bytes = [0_u8; 16];
    if getrandom::fill(&mut bytes).is_err() {
        bytes = now().as_nanos().to_le_bytes();
    }
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    let mut groups = [8, 4, 4, 4, 12].into_iter().scan(hex.as_str(), |rest, length| {
        let (group, after) = rest.split_at_checked(length)?;
        *rest = after;
        Some(group)
    });
    let first = groups.next().unwrap_or_default().to_owned();
    groups.fold(first, |id, group| id + "-" + group)
}

/// The time in RFC 3339 with milliseconds.
pub(crate) fn now_rfc3339() -> String {
    Timestamp(UnixMs(now().as_millis() as i64)).to_string()
}

fn now() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn ids_have_the_usual_groups_and_differ() {
        let (one, two) = (super::request_id(), super::request_id());
        assert_ne!(one, two);
        let lengths: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
    }
}
