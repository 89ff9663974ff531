#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| twinpath_fuzz::run("netconf_framing", input));
