//! [`Objects`] in a map.

use std::cell::RefCell;
use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};

use crate::port::{BodyError, ObjectError, Objects, Part, Put, RequestBody};

/// A request's body that is at hand.
#[derive(Clone, Debug, Default)]
pub struct MemoryBody(pub Bytes);

impl RequestBody for MemoryBody {
    async fn bytes(self, limit: usize) -> Result<Bytes, BodyError> {
        if self.0.len() > limit { Err(BodyError::TooLarge) } else { Ok(self.0) }
    }
}

/// A bucket that lives as long as this value.
#[derive(Debug, Default)]
pub struct MemoryObjects(RefCell<BTreeMap<String, Bytes>>);

impl MemoryObjects {
    /// All keys, in order.
    pub fn keys(&self) -> Vec<String> {
        self.0.borrow().keys().cloned().collect()
    }
}

impl Objects for MemoryObjects {
    type Body = MemoryBody;
    type Stream = Bytes;

    async fn put_stream(
        &self,
        key: &str,
        body: MemoryBody,
        length: u64,
        sha256: [u8; 32],
    ) -> Result<Put, ObjectError> {
        if body.0.len() as u64 != length {
            return Err(ObjectError::Unavailable("the body broke off".to_owned()));
        }
        let mut objects = self.0.borrow_mut();
        if let Some(there) = objects.get(key) {
            let same = Sha256::digest(there)[..] == sha256;
            return Ok(if same { Put::Already } else { Put::Different });
        }
        if Sha256::digest(&body.0)[..] != sha256 {
            return Err(ObjectError::HashMismatch);
        }
        objects.insert(key.to_owned(), body.0);
        Ok(Put::Stored)
    }

    async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        _content_type: &'static str,
    ) -> Result<(), ObjectError> {
        self.0.borrow_mut().insert(key.to_owned(), bytes);
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, ObjectError> {
        Ok(self.0.borrow().get(key).cloned())
    }

    async fn read(&self, head: Bytes, parts: Vec<Part>) -> Result<Bytes, ObjectError> {
        let objects = self.0.borrow();
        let mut all = BytesMut::from(&head[..]);
        for part in parts {
            match part {
                Part::Stored { key, offset, length } => {
                    let object = objects.get(&key).ok_or(ObjectError::Missing)?;
                    let range = offset as usize..(offset + length) as usize;
                    all.extend_from_slice(object.get(range).ok_or(ObjectError::Missing)?);
                }
                Part::Fill { byte, length } => all.resize(all.len() + length as usize, byte),
            }
        }
        Ok(all.freeze())
    }

    async fn delete(&self, keys: Vec<String>) -> Result<(), ObjectError> {
        let mut objects = self.0.borrow_mut();
        for key in keys {
            objects.remove(&key);
        }
        Ok(())
    }
}
