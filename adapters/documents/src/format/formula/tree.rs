//! The elements of one formula.

/// Bytes of text, names and attributes of a formula; more is none that people read in a line.
const BYTES_MAX: usize = 64 << 10;
/// Elements inside of each other.
const DEPTH_MAX: usize = 200;

/// An element.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// Without its prefix.
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Node>,
    /// Text directly in it.
    pub(crate) text: String,
}

impl Node {
    /// An attribute by its name without prefix.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        attributes
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first child of a name.
    pub(crate) fn child(&self, name: &str) -> Option<&Node> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The first element that a condition holds for, this one first.
    pub(crate) fn find(&self, is: &impl Fn(&Node) -> bool) -> Option<&Node> {
        if is(self) {
            return Some(self);
        }
        self.children.iter().find_map(|child| child.find(is))
    }
}

/// A formula that is being read.
#[derive(Debug)]
pub(crate) struct Tree {
    open: Vec<Node>,
    bytes: usize,
    too_large: bool,
}

impl Tree {
    /// Begins with the formula's own element.
    pub(crate) fn new(name: &str, attributes: Vec<(String, String)>) -> Self {
        let mut tree = Self {
            open: vec![],
            bytes: 0,
            too_large: false,
        };
        tree.start(name, attributes);
        tree
    }

    pub(crate) fn start(&mut self, name: &str, attributes: Vec<(String, String)>) {
        self.bytes += name.len()
            + attributes
                .iter()
                .map(|(name, value)| name.len() + value.len())
                .sum::<usize>();
        self.too_large |= self.bytes > BYTES_MAX || self.open.len() >= DEPTH_MAX;
        if !self.too_large {
            self.open.push(Node {
                name: name.to_owned(),
                attributes,
                ..Node::default()
            });
        }
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes += text.len();
        self.too_large |= self.bytes > BYTES_MAX;
        if let (Some(node), false) = (self.open.last_mut(), self.too_large) {
            node.text.push_str(text);
        }
    }

    /// Ends an element and those in it that were left open; true when it was the formula itself.
    pub(crate) fn end(&mut self, name: &str) -> bool {
        let Some(found) = self.open.iter().rposition(|node| node.name == name) else {
            return self.open.is_empty();
        };
        if found == 0 {
            return true;
        }
        while self.open.len() > found {
            self.close();
        }
        false
    }

    fn close(&mut self) {
        if self.open.len() > 1
            && let Some(node) = self.open.pop()
            && let Some(around) = self.open.last_mut()
        {
            around.children.push(node);
        }
    }

    /// The formula; `None` where it is too large.
    pub(crate) fn finish(mut self) -> Option<Node> {
        while self.open.len() > 1 {
            self.close();
        }
        self.open.pop().filter(|_| !self.too_large)
    }
}
