#![no_main]
//! Any bytes through one parser: see `pluriscope::hostile`.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pluriscope::hostile::checkpoint(bytes));
