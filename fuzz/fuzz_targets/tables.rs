#![no_main]
//! Any bytes through one parser: see `pluriscope::hostile`.

// A panic in the library is caught where it is called, and is an error there; without this hook the fuzzer would stop
// at the panic itself. One that is not caught still ends the process.
libfuzzer_sys::fuzz_target!(init: std::panic::set_hook(Box::new(|_| {})), |bytes: &[u8]| pluriscope::hostile::tables(bytes));
