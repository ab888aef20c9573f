//! Building [`Statement`]s: `sql!("… ?1 …", value, …)` binds anything that [`Bind`]s.

use nexus_core::call::{Channel, EndReason, Epoch};
use nexus_core::cell::Cell;
use nexus_core::id;
use nexus_core::time::UnixMs;

use crate::port::Value;

/// What can be bound to a placeholder.
pub(crate) trait Bind {
    /// The bound value.
    fn bind(self) -> Value;
}

impl Bind for Value {
    fn bind(self) -> Value {
        self
    }
}

impl Bind for &str {
    fn bind(self) -> Value {
        Value::Text(self.to_owned())
    }
}

impl Bind for String {
    fn bind(self) -> Value {
        Value::Text(self)
    }
}

impl Bind for &String {
    fn bind(self) -> Value {
        Value::Text(self.clone())
    }
}

impl Bind for i64 {
    fn bind(self) -> Value {
        Value::Int(self)
    }
}

impl Bind for u32 {
    fn bind(self) -> Value {
        Value::Int(i64::from(self))
    }
}

impl Bind for u64 {
    /// Values past 2^53 cannot occur: these are sizes and durations.
    fn bind(self) -> Value {
        Value::Int(i64::try_from(self).unwrap_or(i64::MAX))
    }
}

impl Bind for bool {
    fn bind(self) -> Value {
        Value::Int(i64::from(self))
    }
}

impl Bind for UnixMs {
    fn bind(self) -> Value {
        Value::Int(self.0)
    }
}

impl Bind for Epoch {
    fn bind(self) -> Value {
        Value::Int(i64::from(self.0))
    }
}

impl Bind for Cell {
    fn bind(self) -> Value {
        Value::Text(self.as_str().to_owned())
    }
}

impl Bind for Channel {
    fn bind(self) -> Value {
        Value::Text(self.as_str().to_owned())
    }
}

impl Bind for EndReason {
    fn bind(self) -> Value {
        Value::Text(self.as_str().to_owned())
    }
}

impl<T: Bind> Bind for Option<T> {
    fn bind(self) -> Value {
        self.map_or(Value::Null, T::bind)
    }
}

macro_rules! bind_ids {
    ($($name:ident)*) => {$(
        impl Bind for id::$name {
            fn bind(self) -> Value {
                Value::Text(self.to_string())
            }
        }
    )*};
}

bind_ids! {
    OrgId UserId SessionId AgentId CallId RegistrationId ServerId ClaimantId PhoneNumberId
}

/// A [`crate::port::Statement`] from a constant text and its values.
macro_rules! sql {
    ($text:expr $(, $value:expr)* $(,)?) => {
        $crate::port::Statement {
            sql: $text,
            params: vec![$($crate::sql::Bind::bind($value)),*],
        }
    };
}

pub(crate) use sql;
