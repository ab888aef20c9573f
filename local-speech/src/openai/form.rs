//! `multipart/form-data` (RFC 7578), read from a body that is there as a whole.

/// The fields of a form, in order.
pub(super) struct Form<'a> {
    fields: Vec<(String, &'a [u8])>,
}

/// Most fields read; the endpoint has fewer.
const FIELDS_MAX: usize = 32;

impl<'a> Form<'a> {
    /// Reads a body of this content type; `None` if it is no form, or ends inside a field.
    pub(super) fn parse(content_type: &str, body: &'a [u8]) -> Option<Self> {
        let (kind, parameters) = content_type.split_once(';')?;
        if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
            return None;
        }
        let boundary = parameter(parameters, "boundary").filter(|boundary| !boundary.is_empty())?;
        let delimiter = format!("--{boundary}");
        let separator = format!("\r\n--{boundary}");
        let mut rest = body.get(find(body, delimiter.as_bytes())? + delimiter.len()..)?;
        let mut fields = Vec::new();
        while !rest.starts_with(b"--") {
            let head_end = find(rest, b"\r\n\r\n")?;
            let head = std::str::from_utf8(rest.get(..head_end)?).ok()?;
            let content = rest.get(head_end + 4..)?;
            let end = find(content, separator.as_bytes())?;
            if let Some(name) = name_of(head) {
                fields.push((name, content.get(..end)?));
            }
            if fields.len() > FIELDS_MAX {
                return None;
            }
            rest = content.get(end + separator.len()..)?;
        }
        Some(Self { fields })
    }

    /// The bytes of a field.
    pub(super) fn field(&self, name: &str) -> Option<&'a [u8]> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, bytes)| *bytes)
    }

    /// A field that is text.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.field(name).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }
}

/// The field's name in the head of a part.
fn name_of(head: &str) -> Option<String> {
    let line = head.lines().find(|line| {
        let name = line.split(':').next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case("content-disposition")
    })?;
    parameter(line.split_once(';')?.1, "name")
}

/// `name="value"` or `name=value` among parameters.
fn parameter(parameters: &str, name: &str) -> Option<String> {
    parameters.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        let wanted = key.trim().eq_ignore_ascii_case(name);
        wanted.then(|| value.trim().trim_matches('"').to_owned())
    })
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    let first = *pattern.first()?;
    let mut from = 0;
    loop {
        // Most bytes of audio are none of the pattern's first.
        from += bytes.get(from..)?.iter().position(|byte| *byte == first)?;
        if bytes.get(from..)?.starts_with(pattern) {
            return Some(from);
        }
        from += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "multipart/form-data; boundary=\"xYz\"";
    const BODY: &[u8] =
        b"--xYz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\
        Content-Type: audio/wav\r\n\r\nRI\r\n--x\0FF\r\n--xYz\r\n\
        content-disposition: form-data; name=model\r\n\r\nwhisper-1\r\n--xYz--\r\n";

    #[test]
    fn fields_are_read_as_they_are() {
        let form = Form::parse(KIND, BODY).unwrap();
        assert_eq!(form.field("file"), Some(&b"RI\r\n--x\0FF"[..]));
        assert_eq!(form.text("model"), Some("whisper-1"));
        assert_eq!(form.field("filename"), None);
    }

    #[test]
    fn what_is_cut_off_or_no_form_is_refused() {
        for end in 0..BODY.len() - 4 {
            assert!(Form::parse(KIND, &BODY[..end]).is_none(), "{end}");
        }
        assert!(Form::parse("application/json", BODY).is_none());
        assert!(Form::parse("multipart/form-data; boundary=", BODY).is_none());
        let many = b"--xYz\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n".repeat(40);
        assert!(Form::parse(KIND, &many).is_none());
    }
}
