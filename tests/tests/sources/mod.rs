//! The source files of a crate, and which items of each other they use.
//!
//! A reader of `use` declarations and paths, not a compiler: methods and inferred types are not seen, names are looked up as Rust looks
//! them up, through imports and re-exports, down to the file that defines them. Code of tests is left out.

mod graph;
mod paths;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::Visit;

/// The modules of a crate, and the files that they are in.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// Paths below the folder of the root file.
    files: Vec<PathBuf>,
    modules: Vec<Module>,
}

#[derive(Debug, Default)]
struct Module {
    file: usize,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    /// Names of the items that are written here, modules excepted.
    defines: BTreeSet<String>,
    /// What an imported or re-exported name stands for; one name may be a module and a function.
    imports: BTreeMap<String, Vec<Vec<String>>>,
    globs: Vec<Vec<String>>,
    /// Paths that the code names, and those of its private imports: what the file uses. A re-export alone uses nothing.
    mentions: BTreeSet<Vec<String>>,
}

impl Sources {
    /// Reads a crate from its root file.
    pub(crate) fn read(root: &Path) -> Self {
        let mut sources = Self::default();
        let folder = root.parent().unwrap().to_owned();
        sources.file(root, &folder, None);
        for file in &mut sources.files {
            *file = file.strip_prefix(&folder).unwrap().to_owned();
        }
        sources
    }

    /// Reads a file, whose modules have theirs in `folder`; the number of its module.
    fn file(&mut self, path: &Path, folder: &Path, parent: Option<usize>) -> usize {
        let text =
            std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let file = self.files.len();
        self.files.push(path.to_owned());
        let place = Place {
            beside: path.parent().unwrap().to_owned(),
            folder: folder.to_owned(),
        };
        self.module(file, &place, parent, &parsed.items)
    }

    fn module(&mut self, file: usize, place: &Place, parent: Option<usize>, items: &[syn::Item]) -> usize {
        let number = self.modules.len();
        let mut found = paths::Found::default();
        self.modules.push(Module::default());
        for item in items {
            let syn::Item::Mod(module) = item else {
                found.visit_item(item);
                found.defines.extend(paths::name(item));
                continue;
            };
            if paths::only_in_tests(&module.attrs) {
                continue;
            }
            let name = module.ident.to_string();
            let child = match &module.content {
                Some((_, items)) => self.module(file, &place.of(&name), Some(number), items),
                None => {
                    let path = place.file(&name, paths::given(&module.attrs));
                    self.file(&path, &place.folder.join(&name), Some(number))
                }
            };
            self.modules[number].children.insert(name, child);
        }
        let module = &mut self.modules[number];
        module.file = file;
        module.parent = parent;
        module.defines = found.defines;
        module.imports = found.imports;
        module.globs = found.globs;
        module.mentions = found.mentions;
        number
    }

    /// The file and the name of the item that a path stands for, seen from a module; nothing for modules and for other crates' items.
    fn item(&self, module: usize, path: &[String]) -> Option<(usize, String)> {
        match self.resolve(module, path, false, 0)? {
            Target::Item(module, name) => Some((self.modules[module].file, name)),
            Target::Module(_) => None,
        }
    }

    fn resolve(&self, module: usize, path: &[String], as_module: bool, depth: usize) -> Option<Target> {
        let (first, mut rest) = path.split_first()?;
        let wanted = |rest: &[String]| as_module || !rest.is_empty();
        let mut at = match first.as_str() {
            "crate" => Target::Module(0),
            "self" => Target::Module(module),
            "super" => Target::Module(self.modules[module].parent?),
            name => self.lookup(module, name, wanted(rest), depth)?,
        };
        while let (Target::Module(inside), Some((name, further))) = (&at, rest.split_first()) {
            at = match name.as_str() {
                "super" => Target::Module(self.modules[*inside].parent?),
                "self" => Target::Module(*inside),
                name => self.lookup(*inside, name, wanted(further), depth)?,
            };
            rest = further;
        }
        Some(at)
    }

    /// What a name stands for in a module. A name with more behind it is a module rather than an item of the same name.
    fn lookup(&self, module: usize, name: &str, as_module: bool, depth: usize) -> Option<Target> {
        if depth > 12 {
            return None;
        }
        let here = &self.modules[module];
        let item = || {
            here.defines
                .contains(name)
                .then(|| Target::Item(module, name.to_owned()))
        };
        let child = || here.children.get(name).copied().map(Target::Module);
        let named = || {
            let paths = here.imports.get(name)?;
            paths
                .iter()
                .find_map(|path| self.resolve(module, path, as_module, depth + 1))
        };
        let globbed = || {
            here.globs.iter().find_map(|path| {
                let Target::Module(inside) = self.resolve(module, path, true, depth + 1)? else {
                    return None;
                };
                self.lookup(inside, name, as_module, depth + 1)
            })
        };
        if as_module {
            child().or_else(named).or_else(item).or_else(globbed)
        } else {
            item().or_else(named).or_else(child).or_else(globbed)
        }
    }
}

#[derive(Debug, Clone)]
enum Target {
    Module(usize),
    /// An item, by the module that defines it.
    Item(usize, String),
}

/// Where the files of a module's modules are.
struct Place {
    /// The folder of the file itself, which `#[path]` counts from.
    beside: PathBuf,
    folder: PathBuf,
}

impl Place {
    fn of(&self, inline: &str) -> Self {
        Self {
            beside: self.folder.join(inline),
            folder: self.folder.join(inline),
        }
    }

    fn file(&self, name: &str, given: Option<String>) -> PathBuf {
        if let Some(given) = given {
            return self.beside.join(given);
        }
        let flat = self.folder.join(format!("{name}.rs"));
        if flat.exists() {
            flat
        } else {
            self.folder.join(name).join("mod.rs")
        }
    }
}
