//! The safetensors container, as far as our own two files need it.
//!
//! Layout (<https://huggingface.co/docs/safetensors>): a little-endian `u64`, the length of a JSON
//! header; the header, `{name: {dtype, shape, data_offsets: [from, to]}}`; the data, which the
//! offsets count into.

use std::collections::BTreeMap;

use serde::Deserialize;
use thiserror::Error;

/// Why a weight file cannot be used.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// The file ends early or its header is not the JSON it should be.
    #[error("not a safetensors file")]
    Container,
    /// A tensor is missing, or is not float32 of the size that the network needs.
    #[error("tensor {0} is missing or has another size")]
    Tensor(&'static str),
}

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    data_offsets: (usize, usize),
}

/// A file's tensors by name.
pub(super) struct Tensors<'a> {
    entries: BTreeMap<String, Entry>,
    data: &'a [u8],
}

impl<'a> Tensors<'a> {
    pub(super) fn parse(file: &'a [u8]) -> Result<Self, WeightsError> {
        let (length, rest) = file.split_first_chunk::<8>().ok_or(WeightsError::Container)?;
        let length = usize::try_from(u64::from_le_bytes(*length));
        let length = length.map_err(|_| WeightsError::Container)?;
        let (header, data) = rest.split_at_checked(length).ok_or(WeightsError::Container)?;
        let entries = serde_json::from_slice(header).map_err(|_| WeightsError::Container)?;
        Ok(Self { entries, data })
    }

    /// The `len` values of a tensor, the last dimension running fastest.
    pub(super) fn values(&self, name: &'static str, len: usize) -> Result<Vec<f32>, WeightsError> {
        let wrong = WeightsError::Tensor(name);
        let Some(entry) = self.entries.get(name).filter(|entry| entry.dtype == "F32") else {
            return Err(wrong);
        };
        let (from, to) = entry.data_offsets;
        match self.data.get(from..to).map(<[u8]>::as_chunks::<4>) {
            Some((values, [])) if values.len() == len => {
                Ok(values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
            }
            _ => Err(wrong),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: &[f32]) -> Vec<u8> {
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend_from_slice(header.as_bytes());
        file.extend(data.iter().flat_map(|value| value.to_le_bytes()));
        file
    }

    #[test]
    fn tensors_are_found_by_name_and_size() {
        let header = r#"{"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},
            "b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},
            "c":{"dtype":"I32","shape":[1],"data_offsets":[8,12]},
            "d":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}"#;
        let file = file(header, &[1.0, -2.0, 3.5]);
        let tensors = Tensors::parse(&file).unwrap();
        assert_eq!(tensors.values("a", 2).unwrap(), [1.0, -2.0]);
        assert_eq!(tensors.values("b", 1).unwrap(), [3.5]);
        for (name, len) in [("a", 1), ("c", 1), ("d", 2), ("e", 1)] {
            assert!(tensors.values(name, len).is_err(), "{name}");
        }
    }

    #[test]
    fn a_file_cut_short_is_refused() {
        let whole = file("{}", &[]);
        assert!(Tensors::parse(&whole).is_ok());
        for length in 0..whole.len() {
            assert!(Tensors::parse(&whole[..length]).is_err(), "{length} bytes");
        }
    }
}
