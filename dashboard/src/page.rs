//! A page before it is put into the frame: a title and fragments, each with a name by which it is exchanged while the page is open.

use maud::Markup;

/// A page.
pub(crate) struct Page {
    /// Title of the window and heading.
    pub(crate) title: String,
    /// Which entry of the navigation it belongs to.
    pub(crate) part: Part,
    /// The run that it is about, whose pages are then offered.
    pub(crate) run: Option<(String, Kind)>,
    /// What it shows, in order. Names are ids of elements, and stay the same while the page is open.
    pub(crate) fragments: Vec<Fragment>,
    /// It is not made again while it is open.
    pub(crate) still: bool,
}

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It makes rows.
    Rows,
    /// It asks held-out questions.
    Evaluation,
}

/// A named part of a page.
pub(crate) struct Fragment {
    /// The id of its element.
    pub(crate) name: &'static str,
    /// What is in it.
    pub(crate) content: Markup,
}

/// Entries of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Runs, and all about one of them.
    Runs,
    /// Workers.
    Workers,
    /// Dead letters.
    Dead,
    /// Lineages.
    Generations,
    /// None: a page that is passed through.
    None,
}

impl Page {
    /// A page without fragments.
    pub(crate) fn new(title: impl Into<String>, part: Part) -> Self {
        Self {
            title: title.into(),
            part,
            run: None,
            fragments: Vec::new(),
            still: false,
        }
    }

    /// About a run that makes rows.
    #[must_use]
    pub(crate) fn of_run(self, run: &str) -> Self {
        self.of(run, Kind::Rows)
    }

    /// About a run of a kind.
    #[must_use]
    pub(crate) fn of(mut self, run: &str, kind: Kind) -> Self {
        self.run = Some((run.to_owned(), kind));
        self
    }

    /// Not made again while it is open: a page with a form that is being filled in.
    #[must_use]
    pub(crate) fn still(mut self) -> Self {
        self.still = true;
        self
    }

    /// With a fragment more.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, content: Markup) -> Self {
        self.fragments.push(Fragment { name, content });
        self
    }
}
