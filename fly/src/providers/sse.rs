//! Server-sent events (WHATWG HTML §9.2), as far as model servers use them: the `data` of each event.
//!
//! Input may be cut anywhere, also inside a UTF-8 character or between CR and LF: the parser works on
//! bytes and gives out whole events.

/// Longest event taken, in bytes: no chunk of a reply comes near it.
const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// An event that never ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a server-sent event is larger than 1 MiB")]
pub struct EventTooLarge;

/// Collects `data` lines into events.
#[derive(Debug, Default)]
pub struct SseParser {
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    after_cr: bool,
}

impl SseParser {
    /// Takes bytes as they came and gives the data of each event completed by them to `event`.
    pub fn feed(
        &mut self,
        bytes: &[u8],
        mut event: impl FnMut(&[u8]),
    ) -> Result<(), EventTooLarge> {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (line, tail) = rest.split_at(end);
            let (terminator, tail) = tail.split_first().unwrap_or((&b'\n', &[]));
            rest = tail;
            // The LF of a CRLF ends no further line, also when it comes in the next piece.
            if std::mem::replace(&mut self.after_cr, *terminator == b'\r')
                && *terminator == b'\n'
                && line.is_empty()
                && self.line.is_empty()
            {
                continue;
            }
            self.line.extend_from_slice(line);
            self.end_of_line(&mut event);
        }
        if !rest.is_empty() {
            self.after_cr = false;
            self.line.extend_from_slice(rest);
        }
        if self.line.len() + self.data.len() > EVENT_BYTES_MAX {
            return Err(EventTooLarge);
        }
        Ok(())
    }

    fn end_of_line(&mut self, event: &mut impl FnMut(&[u8])) {
        if self.line.is_empty() {
            if self.has_data {
                event(&self.data);
            }
            self.data.clear();
            self.has_data = false;
            return;
        }
        // A byte order mark may begin the stream.
        let line = self.line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&self.line);
        if let Some(value) = line.strip_prefix(b"data") {
            let value = match value.strip_prefix(b":") {
                Some(value) => Some(value.strip_prefix(b" ").unwrap_or(value)),
                None => value.is_empty().then_some(value),
            };
            if let Some(value) = value {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
                self.has_data = true;
            }
        }
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&[u8]]) -> Vec<String> {
        let mut parser = SseParser::default();
        let mut events = Vec::new();
        for piece in pieces {
            parser
                .feed(piece, |data| events.push(String::from_utf8(data.to_vec()).unwrap()))
                .unwrap();
        }
        events
    }

    const STREAM: &str = "\u{feff}: ping\r\n\r\ndata: {\"a\":\"é\"}\r\n\r\nevent: x\nid: 1\ndata: one\n\
                          data:two\n\n: comment\ndata\n\ndata:  padded\r\rdatax: no\n\ndata: [DONE]\n\n\
                          data: never ended";

    #[test]
    fn every_cut_gives_the_same_events() {
        let expected = ["{\"a\":\"é\"}", "one\ntwo", "", " padded", "[DONE]"];
        let bytes = STREAM.as_bytes();
        assert_eq!(events(&[bytes]), expected);
        for cut in 1..bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(events(&[head, tail]), expected, "cut at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(events(&single), expected);
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let mut parser = SseParser::default();
        let piece = vec![b'x'; 64 * 1024];
        let fed = (0..17).try_for_each(|_| parser.feed(&piece, |_| ()));
        assert_eq!(fed, Err(EventTooLarge));
    }
}
