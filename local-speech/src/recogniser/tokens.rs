//! The model's vocabulary: token numbers to text.
//!
//! `tokenizer.bin` holds the tokens in order, each as its length and its bytes; a length of 128 or more takes two
//! bytes (low seven bits with the top bit set, then the rest). `▁` stands for a space.

/// The vocabulary.
pub(super) struct Tokens {
    bytes: Vec<u8>,
    /// Where each token ends.
    ends: Vec<(u32, u32)>,
}

/// The first tokens are `<unk>`, `<s>` and `</s>`, which are no text.
const FIRST_TEXT: usize = 3;

impl Tokens {
    /// Reads the file; `None` if it ends inside a token.
    pub(super) fn read(file: &[u8]) -> Option<Self> {
        let mut tokens = Self { bytes: Vec::with_capacity(file.len()), ends: Vec::new() };
        let mut rest = file;
        while let Some((first, after)) = rest.split_first() {
            let (length, after) = if *first < 128 {
                (usize::from(*first), after)
            } else {
                let (second, after) = after.split_first()?;
                (usize::from(*second) * 128 + usize::from(*first) - 128, after)
            };
            let (token, after) = after.split_at_checked(length)?;
            let start = tokens.bytes.len() as u32;
            tokens.bytes.extend_from_slice(token);
            tokens.ends.push((start, tokens.bytes.len() as u32));
            rest = after;
        }
        Some(tokens)
    }

    /// The text of a decoding; unknown numbers are left out.
    pub(super) fn text(&self, ids: &[i64]) -> String {
        let mut bytes = Vec::new();
        for id in ids {
            let index = usize::try_from(*id).unwrap_or(0);
            if index < FIRST_TEXT {
                continue;
            }
            let token = self
                .ends
                .get(index)
                .and_then(|(start, end)| self.bytes.get(*start as usize..*end as usize));
            bytes.extend_from_slice(token.unwrap_or_default());
        }
        String::from_utf8_lossy(&bytes).replace('▁', " ").trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_any_length_become_text() {
        let mut file = Vec::new();
        for token in ["<unk>", "<s>", "</s>", "▁Hello", ",", "▁w", "orld"] {
            file.push(token.len() as u8);
            file.extend_from_slice(token.as_bytes());
        }
        file.extend_from_slice(&[130, 1]);
        file.extend_from_slice("x".repeat(130).as_bytes());
        let tokens = Tokens::read(&file).unwrap();
        assert_eq!(tokens.text(&[1, 3, 4, 5, 6, 2, 999, -1]), "Hello, world");
        assert_eq!(tokens.text(&[7]).len(), 130);
        assert!(Tokens::read(&file[..file.len() - 1]).is_none());
    }
}
