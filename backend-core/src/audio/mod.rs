//! Speech audio as plain samples: G.711 mu-law, sample rates, WAV headers. Pure and without I/O.
//!
//! A *sample* is a signed 16-bit linear value, mono. Functions append to buffers that the caller
//! keeps, so that a running call allocates nothing per frame.

#[cfg(feature = "detector")]
pub mod detector;
pub mod g711;
pub mod pcm;
pub mod resample;
#[cfg(feature = "sounds")]
pub mod sounds;
pub mod wav;
