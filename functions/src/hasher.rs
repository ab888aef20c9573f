//! Password hashing with Argon2id (RFC 9106) at OWASP's parameters.

use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2 as Kdf, Params, PasswordHasher, Version};

use crate::port::Hasher;

/// OWASP's first choice for Argon2id that fits an isolate: 19 MiB, two passes, one lane.
const RECOMMENDED: (u32, u32, u32) = (19_456, 2, 1);
/// Bytes of a hash.
const OUTPUT_BYTES: usize = 32;
/// Most memory that a stored hash may ask for, in KiB: half of an isolate's 128 MiB.
const MEMORY_KIB_MAX: u32 = 65_536;
/// Most passes that a stored hash may ask for.
const PASSES_MAX: u32 = 10;
/// Most lanes that a stored hash may ask for.
const LANES_MAX: u32 = 4;

/// Argon2id, in this process. About 50 ms of CPU and 19 MiB: more than Workers' free plan grants.
#[derive(Clone, Debug)]
pub struct Argon2 {
    params: Params,
}

impl Default for Argon2 {
    fn default() -> Self {
        Self::recommended()
    }
}

impl Argon2 {
    /// OWASP's parameters: m = 19456 KiB, t = 2, p = 1.
    pub fn recommended() -> Self {
        let (memory, passes, lanes) = RECOMMENDED;
        Self::with(memory, passes, lanes)
    }

    /// The cheapest parameters that there are. For tests alone.
    #[cfg(feature = "memory")]
    pub fn for_tests() -> Self {
        Self::with(Params::MIN_M_COST, 1, 1)
    }

    fn with(memory: u32, passes: u32, lanes: u32) -> Self {
        // The library's own default is the recommendation too; only constants come here.
        let params = Params::new(memory, passes, lanes, Some(OUTPUT_BYTES));
        Self { params: params.unwrap_or_default() }
    }

    fn kdf(params: Params) -> Kdf<'static> {
        Kdf::new(Algorithm::Argon2id, Version::V0x13, params)
    }

    /// The work of one hash, for an answer that is known already.
    fn pretend(&self, peppered: &[u8]) {
        let mut out = [0; OUTPUT_BYTES];
        let _ = Self::kdf(self.params.clone()).hash_password_into(peppered, &[0; 16], &mut out);
    }
}

/// A stored hash whose parameters are within bounds.
struct Stored {
    params: Params,
    salt: Vec<u8>,
    hash: Output,
}

impl Stored {
    fn read(phc: &str) -> Option<Self> {
        let parsed = PasswordHash::new(phc).ok()?;
        let params = Params::try_from(&parsed).ok()?;
        let plain = params.keyid().is_empty() && params.data().is_empty();
        let bounded = params.m_cost() <= MEMORY_KIB_MAX
            && params.t_cost() <= PASSES_MAX
            && params.p_cost() <= LANES_MAX;
        let ours =
            parsed.algorithm == ARGON2ID_IDENT && parsed.version == Some(u32::from(Version::V0x13));
        let salt = parsed.salt?.as_ref().to_vec();
        (plain && bounded && ours).then_some(Self { params, salt, hash: parsed.hash? })
    }
}

impl Hasher for Argon2 {
    async fn hash(&self, peppered: &[u8], salt: &[u8; 16]) -> String {
        let hashed = Self::kdf(self.params.clone()).hash_password_with_salt(peppered, salt);
        // Fails for lack of memory alone; the empty text verifies for no password.
        hashed.map(|phc| phc.to_string()).unwrap_or_default()
    }

    async fn verify(&self, peppered: &[u8], phc: &str) -> bool {
        let Some(stored) = Stored::read(phc) else {
            self.pretend(peppered);
            return false;
        };
        let mut out = [0; Output::MAX_LENGTH];
        let Some(out) = out.get_mut(..stored.hash.len()) else { return false };
        let hashed = Self::kdf(stored.params).hash_password_into(peppered, &stored.salt, out);
        // `Output` compares in constant time.
        hashed.is_ok() && Output::new(out).is_ok_and(|fresh| fresh == stored.hash)
    }

    fn is_current(&self, phc: &str) -> bool {
        Stored::read(phc).is_some_and(|stored| stored.params == self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &[u8] = b"password";
    const SALT: &[u8; 16] = b"somesaltsomesalt";

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn cheap() -> Argon2 {
        Argon2::with(8, 1, 1)
    }

    #[test]
    fn recommended_parameters_stand_in_the_phc_string() {
        let phc = run(Argon2::recommended().hash(PASSWORD, SALT));
        let (front, hash) = phc.rsplit_once('$').unwrap();
        assert_eq!(front, "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA");
        assert_eq!(hash.len(), 43, "32 bytes in base64 without padding");
    }

    /// Made by the reference implementation: `echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1`.
    #[test]
    fn a_hash_of_the_reference_implementation_verifies() {
        let phc = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ\
                   $CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert!(run(cheap().verify(PASSWORD, phc)));
        assert!(!run(cheap().verify(b"passwore", phc)));
        assert!(!cheap().is_current(phc));
    }

    #[test]
    fn a_hash_verifies_for_its_password_alone() {
        let phc = run(cheap().hash(PASSWORD, SALT));
        assert!(run(cheap().verify(PASSWORD, &phc)));
        assert!(!run(cheap().verify(b"Password", &phc)));
        assert!(cheap().is_current(&phc));
        assert!(!Argon2::recommended().is_current(&phc));
    }

    #[test]
    fn foreign_and_outsized_hashes_are_refused() {
        let good = run(cheap().hash(PASSWORD, SALT));
        for bad in [
            String::new(),
            "$".to_owned(),
            "garbage".to_owned(),
            good.replace("argon2id", "argon2i"),
            good.replace("v=19", "v=16"),
            good.replace("$v=19", ""),
            good.replace("m=8", "m=65537"),
            good.replace("m=8", "m=4294967295"),
            good.replace("t=1", "t=11"),
            good.replace("m=8,t=1,p=1", "m=64,t=1,p=5"),
            good.replace("p=1", "p=1,keyid=YWI"),
            good.rsplit_once('$').unwrap().0.to_owned(),
        ] {
            assert_ne!(bad, good);
            assert!(Stored::read(&bad).is_none(), "refused before any work: {bad}");
            assert!(!run(cheap().verify(PASSWORD, &bad)), "{bad}");
            assert!(!cheap().is_current(&bad), "{bad}");
        }
    }
}
