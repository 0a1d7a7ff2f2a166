//! Elements that end where the next one begins.

use super::{Element, Reader};
use crate::format::html::elements::Role;

impl Reader {
    /// Ends elements that the next one ends by itself.
    pub(super) fn close_implied(&mut self, name: &str, role: Role) {
        let ends: &[&str] = match role {
            Role::Item => &["li"],
            Role::Term => &["dt", "dd"],
            Role::Cell => &["td", "th"],
            Role::TableRow => &["td", "th", "tr"],
            Role::Heading(_) => &["p", "h1", "h2", "h3", "h4", "h5", "h6"],
            Role::Link => &["a"],
            Role::Block if name == "dd" => &["dt", "dd", "p"],
            Role::Block if matches!(name, "tbody" | "thead" | "tfoot") => {
                &["td", "th", "tr", "tbody", "thead", "tfoot"]
            }
            Role::Block if name == "body" => &["head", "title"],
            Role::Block
            | Role::List { .. }
            | Role::Preformatted
            | Role::Table
            | Role::Main
            | Role::Header
            | Role::Navigation => &["p"],
            _ => return,
        };
        // Only within the list, table or cell that it is in.
        let stops = |element: &Element| match role {
            Role::Item => matches!(element.role, Role::List { .. } | Role::Table | Role::Cell),
            Role::Term => matches!(&*element.name, "dl" | "table" | "ul" | "ol"),
            Role::Block if name == "dd" => matches!(&*element.name, "dl" | "table" | "ul" | "ol"),
            Role::Cell | Role::TableRow => element.role == Role::Table,
            Role::Block if matches!(name, "tbody" | "thead" | "tfoot") => element.role == Role::Table,
            _ => !matches!(element.role, Role::Link | Role::Inline) && !ends.contains(&&*element.name),
        };
        let mut found = None;
        for (at, element) in self.open.iter().enumerate().rev() {
            if ends.contains(&&*element.name) {
                found = Some(at);
            } else if stops(element) {
                break;
            }
        }
        if let Some(found) = found {
            while self.open.len() > found {
                self.close_top();
            }
        }
    }
}
