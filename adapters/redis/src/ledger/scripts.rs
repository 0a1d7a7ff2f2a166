//! The ledger's scripts. Each is the store, the rules and one operation, one below the other.

use std::sync::LazyLock;

use crate::script::Script;

const STORE: &str = include_str!("lua/store.lua");
const RULES: &str = include_str!("lua/rules.lua");
const SHOW: &str = include_str!("lua/show.lua");

macro_rules! scripts {
    ($($name:ident = $text:literal: $($part:ident)*;)*) => {$(
        pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(concat!("ledger ", $text), &[$($part,)* include_str!(concat!("lua/", $text, ".lua"))])
        });
    )*};
}

scripts! {
    CREATE = "create": STORE;
    TAKE_OVER = "take_over": STORE;
    OPEN = "open": STORE RULES;
    BEGIN = "begin": STORE RULES;
    RENEW = "renew": STORE RULES;
    RESOLVE = "resolve": STORE RULES;
    DEFER = "defer": STORE;
    EXPIRE = "expire": STORE RULES;
    DUE = "due": STORE;
    FAIL = "fail": STORE RULES;
    RESULTS = "results": STORE RULES SHOW;
    ABSORB = "absorb": STORE RULES;
    ALLOCATE = "allocate": STORE;
    RAISE = "raise": STORE RULES;
    REOPEN = "reopen": STORE RULES;
    ORDER = "order": STORE RULES;
    CLOSE = "close": STORE;
    ACCOUNT = "account": STORE RULES SHOW;
    ATTEMPTS = "attempts": STORE RULES SHOW;
    LOOK = "look": STORE;
    HEALTH = "health": STORE;
    SURVIVORS = "survivors": STORE;
    REBUILD = "rebuild": STORE RULES;
    RELEASE = "release": STORE;
}
