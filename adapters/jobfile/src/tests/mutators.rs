//! Mutators in a job, and personas in a file.

use super::{Folder, HEAD};

fn errors(folder: &Folder, mutators: &str) -> Vec<(String, Option<(usize, usize)>)> {
    folder.errors(format!("{HEAD}generate: {{mutators: {mutators}}}\n"))
}

#[test]
fn a_file_stands_for_its_personas() {
    let folder = Folder::new();
    folder.write(
        "who.txt",
        "# people\na miller\n\n  a nurse on the night shift \r\n",
    );
    let job = format!("{HEAD}generate: {{mutators: {{personas_file: who.txt}}}}\n");
    let job = folder.load(job, &[]).unwrap().job;
    let mutators = job.generate.mutators.clone().unwrap();
    assert_eq!(mutators.personas, ["a miller", "a nurse on the night shift"]);
    assert_eq!((mutators.personas_file, mutators.share), (None, 0.5));
    let written = serde_json::to_value(&job).unwrap();
    assert!(written["generate"]["mutators"].get("styles").is_none());
    // A job without the key is the job that it was, and so is its run.
    let plain = folder.load(HEAD, &[]).unwrap().job;
    assert!(!serde_json::to_string(&plain).unwrap().contains("mutators"));
}

#[test]
fn what_is_wrong_is_told_at_its_place() {
    let folder = Folder::new();
    assert_eq!(
        errors(&folder, "{evolutions: [deepning]}"),
        [(
            "`generate.mutators.evolutions.0` cannot be `deepning`".to_owned(),
            Some((5, 36))
        )]
    );
    assert_eq!(errors(&folder, "{share: 0.5}")[0].0, "no mutator is named");
    assert_eq!(
        errors(&folder, "{personas: [a, b, a]}"),
        [("the persona `a` twice".to_owned(), Some((5, 40)))]
    );
    folder.write("who.txt", "a miller\n# more\n a miller\n");
    assert_eq!(
        errors(&folder, "{personas_file: who.txt}"),
        [("the persona `a miller` twice".to_owned(), Some((3, 2)))]
    );
    folder.write("who.txt", "# nobody\n");
    assert_eq!(
        errors(&folder, "{personas_file: who.txt}"),
        [(
            "the file of personas `who.txt` holds none".to_owned(),
            Some((5, 38))
        )]
    );
    assert_eq!(errors(&folder, "{personas_file: none.txt}").len(), 1);
}
