//! Who may do what: bearer tokens with a role each, or client certificates.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tonic::{Request, Status};

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Viewer,
    /// Look, and change.
    Operator,
}

/// Who is at the other end of a connection: a stranger until one of its requests is let in. A server hands it over with each request of the
/// connection, as an extension.
#[derive(Debug, Clone, Default)]
pub struct Caller(Arc<AtomicBool>);

impl Caller {
    /// Whether a request of the connection was let in.
    pub fn is_let_in(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why a file of tokens cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line}: {wrong}; each line is `viewer TOKEN` or `operator TOKEN`, with a token of at least {TOKEN_BYTES_MIN} characters"
)]
pub struct AccessError {
    line: usize,
    wrong: &'static str,
}

/// The shortest token that is taken: shorter ones can be guessed.
const TOKEN_BYTES_MIN: usize = 16;

/// Who is let in.
#[derive(Clone)]
pub enum Access {
    /// Everyone who can reach the address: for one machine, or behind client certificates that are checked before.
    Everyone,
    /// Who shows one of these tokens. Only their hashes are kept, so that comparing them tells nothing by its time.
    Tokens(HashMap<[u8; 32], Role>),
}

impl Access {
    /// Reads a file of tokens: `viewer TOKEN` or `operator TOKEN` a line; empty lines and those that start with `#` are skipped.
    ///
    /// # Errors
    /// The first line that is something else.
    pub fn parse(text: &str) -> Result<Self, AccessError> {
        let mut tokens = HashMap::new();
        for (line, content) in text.lines().enumerate() {
            let content = content.trim();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let wrong = |wrong| AccessError {
                line: line + 1,
                wrong,
            };
            let (role, token) = content.split_once(char::is_whitespace).ok_or(wrong("no token"))?;
            let role = match role {
                "viewer" => Role::Viewer,
                "operator" => Role::Operator,
                _ => return Err(wrong("an unknown role")),
            };
            let token = token.trim();
            if token.len() < TOKEN_BYTES_MIN {
                return Err(wrong("the token is too short"));
            }
            tokens.insert(hash(token), role);
        }
        Ok(Self::Tokens(tokens))
    }

    /// Lets a request through if its caller has the role, and notes at its connection that somebody known is at the other end.
    pub(super) fn check<T>(&self, request: &Request<T>, needed: Role) -> Result<(), Status> {
        self.role(request, needed)?;
        if let Some(Caller(let_in)) = request.extensions().get() {
            let_in.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn role<T>(&self, request: &Request<T>, needed: Role) -> Result<(), Status> {
        let tokens = match self {
            Self::Everyone => return Ok(()),
            Self::Tokens(tokens) => tokens,
        };
        let shown = request
            .metadata()
            .get("authorization")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or_else(|| {
                Status::unauthenticated(
                    "this server asks for a token: pass `--token-file FILE`, or set GRISTMILL_TOKEN",
                )
            })?;
        match tokens.get(&hash(shown.trim())) {
            None => Err(Status::unauthenticated("the token is not known here")),
            Some(role) if *role < needed => {
                Err(Status::permission_denied("a viewer may look, and change nothing"))
            }
            Some(_) => Ok(()),
        }
    }
}

fn hash(token: &str) -> [u8; 32] {
    *blake3::hash(token.as_bytes()).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(token: Option<&str>) -> Request<()> {
        let mut request = Request::new(());
        if let Some(token) = token {
            let value = format!("Bearer {token}").parse().unwrap();
            request.metadata_mut().insert("authorization", value);
        }
        request
    }

    #[test]
    fn roles_let_through_what_they_may() {
        let access =
            Access::parse("# ours\nviewer look-look-look-look\n\noperator change-change-change\n").unwrap();
        let code = |token, role| {
            access
                .check(&request(token), role)
                .map_err(|status| status.code())
        };
        assert_eq!(code(Some("look-look-look-look"), Role::Viewer), Ok(()));
        assert_eq!(
            code(Some("look-look-look-look"), Role::Operator),
            Err(tonic::Code::PermissionDenied)
        );
        assert_eq!(code(Some("change-change-change"), Role::Operator), Ok(()));
        assert_eq!(
            code(Some("guess-guess-guess"), Role::Viewer),
            Err(tonic::Code::Unauthenticated)
        );
        assert_eq!(code(None, Role::Viewer), Err(tonic::Code::Unauthenticated));
    }

    #[test]
    fn a_connection_is_a_strangers_until_a_request_is_let_in() {
        let access = Access::parse("viewer look-look-look-look").unwrap();
        let caller = Caller::default();
        let ask = |token, role| {
            let mut request = request(token);
            request.extensions_mut().insert(caller.clone());
            // What is answered is another test's.
            let _refused = access.check(&request, role);
            caller.is_let_in()
        };
        assert!(!ask(None, Role::Viewer));
        assert!(!ask(Some("guess-guess-guess"), Role::Viewer));
        assert!(!ask(Some("look-look-look-look"), Role::Operator));
        assert!(ask(Some("look-look-look-look"), Role::Viewer));
    }

    #[test]
    fn a_wrong_line_is_named() {
        let wrong = |text| Access::parse(text).err().unwrap().to_string();
        assert!(
            wrong("viewer look-look-look-look\nroot all-all-all-all-all")
                .starts_with("line 2: an unknown role")
        );
        assert!(wrong("viewer short").starts_with("line 1: the token is too short"));
        assert!(wrong("viewer").starts_with("line 1: no token"));
    }
}
