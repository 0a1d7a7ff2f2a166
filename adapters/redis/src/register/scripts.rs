//! The register's scripts: one an operation, below what they share.

use std::sync::LazyLock;

use crate::script::{NAMESPACE, Script};

const KEYS: &str = include_str!("keys.lua");
const BEATS: &str = include_str!("beats.lua");
const LETTERS: &str = include_str!("letters.lua");

macro_rules! scripts {
    ($($name:ident $file:literal [$($shared:ident)*])*) => {$(
        pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(concat!("register/", $file), &[NAMESPACE, KEYS, $($shared,)* include_str!(concat!($file, ".lua"))])
        });
    )*};
}

scripts! {
    SUBMIT "submit" []
    SPEC "spec" []
    GET "get" []
    LIST "list" []
    ACTIVE "active" []
    CLAIM "claim" []
    RENEW "renew" []
    RELEASE "release" []
    REPORT "report" []
    END "end" []
    BEAT "beat" [BEATS]
    WORKERS "workers" [BEATS]
    DRAIN "drain" [BEATS]
    UNDRAIN "undrain" []
    DRAINED "drained" []
    BURY "bury" [LETTERS]
    DEAD_LETTERS "dead_letters" [LETTERS]
    DEAD_LETTER "dead_letter" [LETTERS]
    RETRIED "retried" []
    DROP "drop" [LETTERS]
}
