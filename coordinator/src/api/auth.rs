//! Who may call what: bearer tokens with a role each, or client certificates.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tonic::{Request, Status};

use super::method::{Method, Role};

/// Who is at the other end of a connection: a stranger until one of its requests is let in. A server hands it over with each request of the
/// connection, as an extension.
#[derive(Debug, Clone)]
pub struct Caller {
    address: IpAddr,
    let_in: Arc<AtomicBool>,
}

impl Caller {
    /// A stranger at this address.
    pub fn new(address: IpAddr) -> Self {
        Self {
            address,
            let_in: Arc::default(),
        }
    }

    /// Whether a request of the connection was let in.
    pub fn is_let_in(&self) -> bool {
        self.let_in.load(Ordering::Relaxed)
    }

    /// Notes that a request of the connection was let in.
    pub fn let_in(&self) {
        self.let_in.store(true, Ordering::Relaxed);
    }

    /// Where the connection comes from.
    pub fn address(&self) -> IpAddr {
        self.address
    }
}

/// Why a file of tokens cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// A line that says something else.
    #[error(
        "line {line}: {wrong}; each line is `viewer TOKEN [NAME]` or `operator TOKEN [NAME]`, with a token of at least {TOKEN_BYTES_MIN} characters and a name for the log"
    )]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// Nobody would be let in.
    #[error("it names no token: write `viewer TOKEN [NAME]` or `operator TOKEN [NAME]` a line")]
    Empty,
}

/// The shortest token that is taken: shorter ones can be guessed.
const TOKEN_BYTES_MIN: usize = 16;
/// The longest name.
const NAME_BYTES_MAX: usize = 64;

/// A token's hash. Tokens are looked up by it and never kept themselves, so that comparing them tells nothing by its time.
type Hash = [u8; 32];

/// What a token stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Holder {
    role: Role,
    name: String,
}

/// Who is let in; clones are the same list.
#[derive(Debug, Clone)]
pub struct Access {
    /// Nothing where everyone who can reach the address is let in: for one machine, or behind client certificates that are checked before.
    tokens: Option<Arc<RwLock<HashMap<Hash, Holder>>>>,
}

/// A caller who was let in. A request carries one as an extension where this process knows its caller already, as by a session of the dashboard;
/// otherwise by its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Who(Identity);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Identity {
    /// Everyone is let in.
    Anyone,
    /// Whoever holds the token of this hash.
    Holder(Hash),
    /// This process, for what it looks at by itself.
    Itself,
}

impl Who {
    /// This process itself, which may look.
    pub fn itself() -> Self {
        Self(Identity::Itself)
    }
}

impl Access {
    /// Lets everyone in.
    pub fn everyone() -> Self {
        Self { tokens: None }
    }

    /// Lets those in who show one of the tokens in a file: `viewer TOKEN [NAME]` or `operator TOKEN [NAME]` a line; empty lines and those that
    /// start with `#` are skipped.
    ///
    /// # Errors
    /// The first line that is something else, or that there is none.
    pub fn tokens(text: &str) -> Result<Self, AccessError> {
        Ok(Self {
            tokens: Some(Arc::new(RwLock::new(parse(text)?))),
        })
    }

    /// Lets in who is in the file now, and nobody else. False where that changes nothing.
    ///
    /// # Errors
    /// As of [`Access::tokens`]; then those are let in who were before.
    pub fn replace(&self, text: &str) -> Result<bool, AccessError> {
        let Some(tokens) = &self.tokens else {
            return Ok(false);
        };
        let new = parse(text)?;
        // A panic elsewhere leaves a whole list.
        let mut tokens = tokens.write().unwrap_or_else(PoisonError::into_inner);
        let changed = *tokens != new;
        *tokens = new;
        Ok(changed)
    }

    /// Whose token this is, or who shows none; `None` for who is not let in.
    pub fn who(&self, token: Option<&str>) -> Option<Who> {
        if self.tokens.is_none() {
            return Some(Who(Identity::Anyone));
        }
        let token = hash(token?.trim());
        self.holder(&token).map(|_| Who(Identity::Holder(token)))
    }

    /// The name beside a caller's token; where there is none, the first digits of the token's hash.
    pub fn name(&self, who: &Who) -> String {
        match who.0 {
            Identity::Anyone => "anyone".to_owned(),
            Identity::Itself => "this process".to_owned(),
            Identity::Holder(token) => match self.holder(&token) {
                Some(holder) => holder.name,
                None => nameless(&token),
            },
        }
    }

    /// As [`Self::name`]; `None` for callers that nothing tells apart.
    pub(super) fn known(&self, who: &Who) -> Option<String> {
        match who.0 {
            Identity::Holder(_) => Some(self.name(who)),
            Identity::Anyone | Identity::Itself => None,
        }
    }

    /// What a caller may do now; `None` for one whose token is no longer let in.
    pub fn role(&self, who: &Who) -> Option<Role> {
        match who.0 {
            Identity::Itself => Some(Role::Viewer),
            Identity::Anyone | Identity::Holder(_) if self.tokens.is_none() => Some(Role::Operator),
            Identity::Anyone => None,
            Identity::Holder(token) => Some(self.holder(&token)?.role),
        }
    }

    /// Lets a request through if its caller may call the method, and notes at its connection that somebody known is at the other end.
    pub(super) fn check<T>(&self, request: &Request<T>, method: Method) -> Result<Who, Status> {
        let who = match request.extensions().get::<Who>() {
            Some(who) => *who,
            None => self.shown(request)?,
        };
        match self.role(&who) {
            None => return Err(unknown()),
            Some(role) if role < method.role() => {
                return Err(Status::permission_denied("a viewer may look, and change nothing"));
            }
            Some(_) => {}
        }
        if let Some(caller) = request.extensions().get::<Caller>() {
            caller.let_in();
        }
        Ok(who)
    }

    /// Who shows a token with a request.
    fn shown<T>(&self, request: &Request<T>) -> Result<Who, Status> {
        let shown = request
            .metadata()
            .get("authorization")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        match self.who(shown) {
            Some(who) => Ok(who),
            // Each client says itself how it is given one.
            None if shown.is_none() => Err(Status::unauthenticated("this server asks for a token")),
            None => Err(unknown()),
        }
    }

    fn holder(&self, token: &Hash) -> Option<Holder> {
        let tokens = self.tokens.as_ref()?;
        let tokens = tokens.read().unwrap_or_else(PoisonError::into_inner);
        tokens.get(token).cloned()
    }
}

fn nameless(token: &Hash) -> String {
    format!("token {}", &blake3::Hash::from(*token).to_hex()[..8])
}

fn unknown() -> Status {
    Status::unauthenticated("the token is not known here")
}

fn parse(text: &str) -> Result<HashMap<Hash, Holder>, AccessError> {
    let mut tokens = HashMap::new();
    for (line, content) in text.lines().enumerate() {
        let content = content.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let wrong = |wrong| AccessError::Line {
            line: line + 1,
            wrong,
        };
        let mut words = content.split_whitespace();
        let role = match words.next() {
            Some("viewer") => Role::Viewer,
            Some("operator") => Role::Operator,
            _ => return Err(wrong("an unknown role")),
        };
        let token = words.next().ok_or(wrong("no token"))?;
        if token.len() < TOKEN_BYTES_MIN {
            return Err(wrong("the token is too short"));
        }
        let hash = hash(token);
        let name = match words.next() {
            Some(name) if name.len() > NAME_BYTES_MAX => return Err(wrong("the name is too long")),
            Some(name) => name.to_owned(),
            None => nameless(&hash),
        };
        if words.next().is_some() {
            return Err(wrong("words after the name"));
        }
        if tokens.insert(hash, Holder { role, name }).is_some() {
            return Err(wrong("a token that another line has"));
        }
    }
    if tokens.is_empty() {
        return Err(AccessError::Empty);
    }
    Ok(tokens)
}

fn hash(token: &str) -> Hash {
    *blake3::hash(token.as_bytes()).as_bytes()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const TOKENS: &str = "# ours\nviewer look-look-look-look\n\noperator change-change-change ann\n";

    /// The file of tokens that the documentation shows.
    fn documented() -> String {
        let page = include_str!("../../../deploy/README.md");
        let (_, file) = page.split_once("A whole file:\n\n").unwrap();
        let lines = file
            .lines()
            .take_while(|line| line.is_empty() || line.starts_with("    "));
        lines.map(|line| format!("{}\n", line.trim_start())).collect()
    }

    #[test]
    fn the_file_of_tokens_that_is_documented_lets_in_who_it_says() {
        let access = Access::tokens(&documented()).unwrap();
        let text = documented();
        let tokens: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_whitespace().nth(1))
            .collect();
        let [alice, jobs, viewer] = tokens[..] else {
            panic!("{text}");
        };
        assert_eq!(ask(&access, Some(alice), Method::CancelRun).unwrap(), "alice");
        assert_eq!(ask(&access, Some(jobs), Method::Submit).unwrap(), "nightly-jobs");
        assert!(
            ask(&access, Some(viewer), Method::GetRun)
                .unwrap()
                .starts_with("token ")
        );
        assert_eq!(
            ask(&access, Some(viewer), Method::CancelRun),
            Err(tonic::Code::PermissionDenied)
        );
        let alice = access.who(Some(alice)).unwrap();
        assert_eq!(access.known(&alice).as_deref(), Some("alice"));
        let anyone = Access::everyone().who(None).unwrap();
        assert_eq!(Access::everyone().known(&anyone), None, "nobody is told apart");
    }

    fn request(token: Option<&str>) -> Request<()> {
        let mut request = Request::new(());
        if let Some(token) = token {
            let value = format!("Bearer {token}").parse().unwrap();
            request.metadata_mut().insert("authorization", value);
        }
        request
    }

    fn ask(access: &Access, token: Option<&str>, method: Method) -> Result<String, tonic::Code> {
        let answer = access.check(&request(token), method);
        answer
            .map(|who| access.name(&who))
            .map_err(|status| status.code())
    }

    #[test]
    fn roles_let_through_what_they_may() {
        let access = Access::tokens(TOKENS).unwrap();
        let viewer = ask(&access, Some("look-look-look-look"), Method::GetRun).unwrap();
        assert!(
            viewer.starts_with("token ") && viewer.len() == "token 01234567".len(),
            "{viewer}"
        );
        for (token, method, expected) in [
            (
                Some("look-look-look-look"),
                Method::CancelRun,
                Err(tonic::Code::PermissionDenied),
            ),
            (
                Some("change-change-change"),
                Method::CancelRun,
                Ok("ann".to_owned()),
            ),
            (
                Some("guess-guess-guess"),
                Method::GetRun,
                Err(tonic::Code::Unauthenticated),
            ),
            (None, Method::GetRun, Err(tonic::Code::Unauthenticated)),
        ] {
            assert_eq!(ask(&access, token, method), expected, "{token:?} {method:?}");
        }
        assert_eq!(
            ask(&Access::everyone(), None, Method::CancelRun),
            Ok("anyone".to_owned())
        );
    }

    #[test]
    fn a_list_that_is_replaced_holds_for_all_clones_and_a_wrong_one_changes_nothing() {
        let access = Access::tokens(TOKENS).unwrap();
        let clone = access.clone();
        let ann = clone
            .check(&request(Some("change-change-change")), Method::GetRun)
            .unwrap();
        assert_eq!(access.replace(TOKENS), Ok(false));
        assert_eq!(access.replace(""), Err(AccessError::Empty));
        assert!(access.replace("viewer short").is_err());
        assert_eq!(clone.role(&ann), Some(Role::Operator));
        assert_eq!(access.replace("operator another-another-an"), Ok(true));
        assert_eq!(clone.role(&ann), None);
        assert_eq!(
            ask(&clone, Some("change-change-change"), Method::GetRun),
            Err(tonic::Code::Unauthenticated)
        );
    }

    #[test]
    fn a_session_may_do_what_its_token_may_now() {
        let access = Access::tokens(TOKENS).unwrap();
        assert_eq!(access.who(None), None);
        assert_eq!(access.who(Some("guess-guess-guess")), None);
        let ann = access.who(Some(" change-change-change ")).unwrap();
        let mut request = request(None);
        request.extensions_mut().insert(ann);
        assert!(access.check(&request, Method::CancelRun).is_ok());
        access.replace("viewer change-change-change ann").unwrap();
        let refused = access.check(&request, Method::CancelRun).unwrap_err();
        assert_eq!(refused.code(), tonic::Code::PermissionDenied);
        access.replace("viewer look-look-look-look").unwrap();
        let refused = access.check(&request, Method::GetRun).unwrap_err();
        assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    }

    #[test]
    fn a_connection_is_a_strangers_until_a_request_is_let_in() {
        let access = Access::tokens(TOKENS).unwrap();
        let caller = Caller::new(Ipv4Addr::LOCALHOST.into());
        let ask = |token, method| {
            let mut request = request(token);
            request.extensions_mut().insert(caller.clone());
            // What is answered is another test's.
            let _refused = access.check(&request, method);
            caller.is_let_in()
        };
        assert!(!ask(None, Method::GetRun));
        assert!(!ask(Some("guess-guess-guess"), Method::GetRun));
        assert!(!ask(Some("look-look-look-look"), Method::CancelRun));
        assert!(ask(Some("look-look-look-look"), Method::GetRun));
    }

    #[test]
    fn a_wrong_line_is_named() {
        for (text, error) in [
            (
                "viewer look-look-look-look\nroot all-all-all-all-all",
                "line 2: an unknown role",
            ),
            ("viewer short", "line 1: the token is too short"),
            ("viewer", "line 1: no token"),
            (
                "viewer look-look-look-look ann bob",
                "line 1: words after the name",
            ),
            (
                "viewer look-look-look-look\noperator look-look-look-look",
                "line 2: a token that another line has",
            ),
            ("# nobody\n", "it names no token"),
        ] {
            let told = Access::tokens(text).err().unwrap().to_string();
            assert!(told.starts_with(error), "{told}");
        }
    }
}
